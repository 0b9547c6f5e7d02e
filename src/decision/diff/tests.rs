//! Comparisons of small policies.

use super::{Diff, diff};
use crate::document::Sources;
use crate::policy::{Snapshot, load};
use crate::vocabulary::Timestamp;

const BASE: &str = "version: 1
name: p
scopes: { tenant: caller, ward: grant }
routes:
  /{tenant}/a: { GET: read A, POST: create A }
  /{tenant}/a/{id}: { DELETE: delete A }
  /{tenant}/wards/{ward}: { GET: read B }
  /ui: { GET: public }
resources: [A, B]
permissions:
  See: { A: R }
  Use: { A: CR }
  Clear: { A: RD }
  Ward: { B: R }
everyone: [See]
gates:
  step-up: { by: approval, permissions: [Clear], keys: [client], granted: [{ client: app-1 }] }
roles:
  R1: { permissions: [Use] }
  R2: { includes: [R1], permissions: [Clear] }
  R3: { within: [{ ward: w1, permissions: [Ward] }] }
users:
  u: { without: [Use] }
  v: { roles: [R1] }
  w: { roles: [R1] }
";

fn snapshot(text: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let loaded = load(&sources, None);
    loaded.snapshot.unwrap_or_else(|| panic!("{}", crate::document::report::human(&loaded.findings, &sources)))
}

fn between(old: &str, new: &str) -> Diff {
    diff(&snapshot(old), &snapshot(new), Timestamp(1_800_000_000))
}

fn lines(found: &Diff) -> Vec<String> {
    let changes = found.changes.iter().map(|change| {
        let shown = if change.example.is_some() { "" } else { "?" };
        format!("{:?}{shown} {change}", change.direction)
    });
    changes.chain(found.settings.iter().cloned()).collect()
}

/// Edits: texts of the base policy and their replacements.
type Edits = &'static [(&'static str, &'static str)];

/// The base policy with the edits.
fn with(pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn each_change_is_reported_once_with_its_callers_and_row() {
    let table: &[(Edits, &[&str])] = &[
        (
            &[("roles: [R1] }\n  w", "roles: [R2] }\n  w")],
            &["Gained user v: delete A (by `Clear`), behind gate step-up"],
        ),
        (&[("GET: public", "GET: nobody")], &["Lost ANYONE, without a credential: GET /ui: public → nobody"]),
        (
            &[("GET: read B", "GET: public")],
            &["Gained ANYONE, without a credential: GET /{tenant}/wards/{ward}: read B → public"],
        ),
        (&[], &[]),
        (&[("ward: w1", "ward: [w1, w2]")], &["Gained role R3: read B (by `Ward`) in ward w2"]),
        (
            &[(
                "{ ward: w1, permissions: [Ward] }",
                "{ ward: w1, permissions: [Ward] }, { ward: w1, permissions: [See] }",
            )],
            &[],
        ),
        (
            &[("client: app-1", "client: app-2")],
            &["Gained gate step-up: approved for client app-2", "Lost gate step-up: approved for client app-1"],
        ),
        (&[("everyone: [See]", "everyone: []")], &["Lost EVERYONE who is authenticated: read A (by `See`)"]),
        (
            &[("everyone: [See]", "everyone: [See]\nservice-apps: all")],
            &["Gained SERVICE APPS: service-apps: like users → all"],
        ),
        (&[("name: p", "name: p\nshadow: all")], &["shadow: off, refusals are enforced → all refusals forward"]),
    ];
    for (pairs, expected) in table {
        let found = lines(&between(BASE, &with(pairs)));
        assert_eq!(found, *expected, "{pairs:?}");
    }
}

#[test]
fn a_row_that_is_renamed_counts_only_where_a_token_claims_it() {
    let new = BASE.replace("Clear", "Erase");
    let found = lines(&between(BASE, &new));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("Lost callers given `Clear` by name: delete A")), "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("Gained callers given `Erase` by name: delete A")), "{found:#?}");
}

#[test]
fn equal_changes_of_users_are_one_line() {
    let many = |role: &str| {
        let users: String = (0..1_203).map(|at| format!("  z{at}: {{ roles: [{role}] }}\n")).collect();
        format!("{BASE}{users}")
    };
    let found = lines(&between(&many("R1"), &many("R3")));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("Gained 1203 users (z0, z1, "), "{found:#?}");
    assert!(found[1].starts_with("Lost 1203 users (z0, z1, "), "{found:#?}");
}

#[test]
fn a_role_that_gives_a_cell_through_another_row_takes_it_from_users_who_lack_that_row() {
    let old = with(&[("R1: { permissions: [Use] }", "R1: { permissions: [Use, See] }"), ("everyone: [See]\n", "")]);
    let new = with(&[("everyone: [See]\n", "")]);
    let expected = "Lost user u: read A (by `See`), behind role R1 of the token";
    assert!(lines(&between(&old, &new)).iter().any(|line| line == expected), "{:#?}", lines(&between(&old, &new)));
}

#[test]
fn a_gate_on_a_row_of_a_group_counts_for_users_without_the_row_of_everyone() {
    let groups = "groups:\n  G: { permissions: [Use] }\nroles:";
    let old = with(&[("roles:", groups), ("u: { without: [Use] }", "u: { roles: [], without: [See] }")]);
    let new = old.replace("by: approval, permissions: [Clear]", "by: approval, permissions: [Clear, Use]");
    let expected = "Lost user u: read A (by `Use`), behind group G of the token";
    assert!(lines(&between(&old, &new)).iter().any(|line| line == expected), "{:#?}", lines(&between(&old, &new)));
}

#[test]
fn a_template_for_nobody_that_goes_uncovers_a_wider_one() {
    let wider = "  /{thing}: { GET: public }\n";
    let hidden = with(&[("  /ui: { GET: public }\n", &format!("  /ui: {{ GET: nobody }}\n{wider}"))]);
    let uncovered = with(&[("  /ui: { GET: public }\n", wider)]);
    let removed = ["Gained ANYONE, without a credential: GET /ui: removed, it was nobody"];
    assert_eq!(lines(&between(&hidden, &uncovered)), removed);
    let added = ["Lost ANYONE, without a credential: GET /ui: new, nobody"];
    assert_eq!(lines(&between(&uncovered, &hidden)), added);
    // Without a wider template nothing changes.
    let nobody = with(&[("GET: public", "GET: nobody")]);
    assert_eq!(lines(&between(&nobody, &with(&[("  /ui: { GET: public }\n", "")]))), [""; 0]);
}

#[test]
fn a_user_who_moves_to_a_source_is_another_user() {
    let found = between(BASE, &with(&[("  u: { without", "  other/u: { without")]));
    let lines = lines(&found);
    assert!(lines.iter().any(|line| line.starts_with("Gained") && line.contains("user u: create A")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("Lost") && line.contains("user other/u: create A")), "{lines:#?}");
}

#[test]
fn tenants_in_the_policy_are_a_gain_for_tokens_that_name_none() {
    let found = between(BASE, &with(&[("v: { roles: [R1] }", "v: { roles: [R1], tenants: [t1, t2] }")]));
    assert!(lines(&found).iter().any(|line| line.starts_with("Gained user v: tenant")), "{:#?}", lines(&found));
}

#[test]
fn an_example_of_another_moment_says_so() {
    let bound =
        |until: &str| format!("v: {{ roles: [{{ R1: {{ when: \"now < timestamp('{until}T00:00:00Z')\" }} }}] }}");
    let old = with(&[("v: { roles: [R1] }", &bound("2027-06-01"))]);
    let new = with(&[("v: { roles: [R1] }", &bound("2030-06-01"))]);
    let found = between(&old, &new);
    let shown: Vec<String> =
        found.changes.iter().filter_map(|change| change.example.as_ref()).map(ToString::to_string).collect();
    assert!(!shown.is_empty() && shown.iter().all(|line| line.contains(", at 20")), "{shown:#?}");
}

#[test]
fn the_audit_mode_is_a_setting_that_changes_no_decision() {
    let lossless =
        with(&[("{ GET: read A, POST: create A }", "{ GET: read A, POST: { need: create A, audit: lossless } }")]);
    let found = between(BASE, &lossless);
    assert_eq!(lines(&found), ["audit of POST /{tenant}/a: the API's default → lossless"]);
    let found = between(&lossless, &lossless.replace("audit: lossless", "audit: fast"));
    assert_eq!(lines(&found), ["audit of POST /{tenant}/a: lossless → fast"]);
}
