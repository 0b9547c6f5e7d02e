//! Tests of which policies load, and of the findings about the others.

use super::load;
use crate::document::{Sources, report};

/// A minimal policy with every kind of entry, into which the tests insert faults.
const BASE: &str = "version: 1
name: p
scopes: { tenant: caller }
routes:
  /{tenant}/a: { GET: read A, POST: create A }
  /{tenant}/a/{id}: { GET: read A }
resources: [A, B]
permissions:
  One: { A: CR }
  Two: { A: R, B: R }
everyone: [Two]
gates:
  g: { by: approval, permissions: [One], keys: [client, tenant], granted: [{ client: c, tenant: t }] }
roles:
  R1: { permissions: [One] }
  R2: { includes: [R1] }
users:
  u: { roles: [R2] }
";

fn findings_of(files: &[(&str, &str)], issuers: Option<&[&str]>) -> Vec<String> {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add(*name, text);
    }
    let issuers: Option<Vec<Box<str>>> = issuers.map(|names| names.iter().map(|&name| name.into()).collect());
    let loaded = load(&sources, issuers.as_deref());
    assert_eq!(loaded.snapshot.is_none(), loaded.findings.has_errors());
    loaded.findings.sorted().into_iter().map(|finding| report::line(finding, &sources)).collect()
}

fn findings(text: &str) -> Vec<String> {
    findings_of(&[("p.yaml", text)], None)
}

/// The base with one part replaced.
fn with(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "{from}");
    BASE.replacen(from, to, 1)
}

#[test]
fn the_base_loads_with_its_notes_only() {
    let found = findings(BASE);
    assert_eq!(found, ["p.yaml:10:19: note[unused-cell]: no route needs `read B`"]);
}

#[test]
fn every_fault_is_found_with_its_span_and_its_fix() {
    let table = [
        ("version: 1\n", "version: 2\n", "1:10: error[bad-value]: `version` is between 1 and 1, not `2`"),
        ("version: 1\n", "", "error[missing-key]: the policy has no `version`"),
        ("name: p\n", "", "error[missing-key]: the policy has no `name`"),
        (
            "name: p",
            "name: 12",
            "2:7: error[needs-quotes]: `name` is a text, but an unquoted `12` is something else in YAML (write \"12\")",
        ),
        ("name: p", "nmae: p", "2:1: error[unknown-key]: a policy has no key `nmae` (did you mean `name`?)"),
        (
            "name: p",
            "name: p\ndialect: apsnet",
            "3:10: error[bad-value]: `dialect` cannot be `apsnet` (did you mean `aspnet`?)",
        ),
        ("name: p", "name: p\ngroups: { G: { profile: [X, Y] } }", "3:25: error[wrong-sort]: a group has one profile"),
        (
            "{ tenant: caller }",
            "{ tenant: caller, org: caller }",
            "3:27: error[bad-value]: only one scope can be `caller`",
        ),
        (
            "{ tenant: caller }",
            "{ tenant: callr }",
            "3:19: error[bad-value]: a scope cannot be `callr` (did you mean `caller`?)",
        ),
        ("/{tenant}/a/{id}:", "{tenant}/a/{id}:", "error["),
        (
            "  /{tenant}/a/{id}:",
            "  /:tenant/a/:id:",
            "6:3: error[bad-route]: the route `/:tenant/a/:id`: `:tenant` would match the text `:tenant` only (a parameter is written `{name}`)",
        ),
        ("/a/{id}:", "/a/*:", "6:3: error[bad-route]: the route `/{tenant}/a/*`: `*` would match a literal `*`"),
        ("/a/{id}:", "/a//{id}:", "6:3: error[bad-route]: the route `/{tenant}/a//{id}`: it has an empty segment"),
        (
            "/a/{id}:",
            "/a/x{id}:",
            "6:3: error[bad-route]: the route `/{tenant}/a/x{id}`: `x{id}` mixes text and a parameter",
        ),
        (
            "/a/{id}:",
            "/a/../{id}:",
            "6:3: error[bad-route]: the route `/{tenant}/a/../{id}`: no request reaches `..`: such a path is refused (dot-segment)",
        ),
        (
            "/a/{id}:",
            "/a/%20:",
            "6:3: error[bad-route]: the route `/{tenant}/a/%20`: `%20` is percent-encoded (write the character itself)",
        ),
        (
            "/a/{id}:",
            "/a/{tenant}:",
            "6:3: error[bad-route]: the route `/{tenant}/a/{tenant}` has two parameters `tenant`",
        ),
        (
            "/a/{id}:",
            "/a/{*rest}/x:",
            "6:3: error[bad-route]: the route `/{tenant}/a/{*rest}/x`: `{*rest}` is not at the end",
        ),
        (
            "  /{tenant}/a/{id}:",
            "  /{x}/a:",
            "6:3: error[route-conflict]: `/{x}/a` matches the same paths as `/{tenant}/a`",
        ),
        (
            "  /{tenant}/a/{id}:",
            "  /{tenant}/A:",
            "6:3: error[route-conflict]: `/{tenant}/A` matches the same paths as `/{tenant}/a`",
        ),
        ("  /{tenant}/a/{id}:", "  /{tenant}/b?t={t}:", "6:3: error[unknown-name]: no scope is called `t`"),
        (
            "{ GET: read A, POST",
            "{ HEAD: read A, POST",
            "5:18: error[bad-route]: `HEAD` is never listed: HEAD is decided as GET",
        ),
        (
            "{ GET: read A, POST",
            "{ get: read A, POST",
            "5:18: error[bad-route]: `get` is not a method in capitals (did you mean `GET`?)",
        ),
        ("POST: create A", "POST: create", "5:37: error[bad-value]: `create` is not an operation on a resource"),
        ("POST: create A", "POST: create C", "5:37: error[unknown-name]: no resource is called `C`"),
        ("POST: create A", "POST: []", "5:37: error[empty-value]: a route needs at least one cell"),
        (
            "POST: create A",
            "POST: { need: create A, websocket: true }",
            "5:31: error[bad-route]: a WebSocket is opened by GET",
        ),
        (
            "POST: create A",
            "POST: { need: create A, across: [site] }",
            "5:64: error[unknown-name]: no scope is called `site`",
        ),
        (
            "POST: create A",
            "POST: { need: create A, when: true }",
            "5:61: error[needs-quotes]: a condition needs quotes",
        ),
        (
            "resources: [A, B]",
            "resources: [A, B, a]",
            "7:19: error[duplicate-name]: the resources `A` and `a` differ only in case or white space",
        ),
        ("resources: [A, B]", "resources: [A, B, B]", "7:19: error[duplicate-name]: the resource `B` is defined twice"),
        (
            "One: { A: CR }",
            "One: { A: CRX }",
            "9:13: error[bad-value]: `X` in `CRX` is none of the letters C, R, U, D, M",
        ),
        ("One: { A: CR }", "One: { A: CRC }", "9:13: error[bad-value]: `C` occurs twice in `CRC`"),
        ("One: { A: CR }", "One: { A: chekc-in }", "9:13: error[unknown-name]: no route needs `chekc-in A`"),
        ("One: { A: CR }", "One: { C: CR }", "9:10: error[unknown-name]: no resource is called `C`"),
        (
            "One: { A: CR }",
            "One:",
            "9:3: error[empty-value]: a permission without a value is unclear (write `{}` after it",
        ),
        ("One: { A: CR }", "One: { A: }", "9:"),
        (
            "everyone: [Two]",
            "everyone: [Tow]",
            "11:12: error[unknown-name]: no permission is called `Tow` (did you mean `Two`?)",
        ),
        ("everyone: [Two]", "everyone: Two", "11:11: error[wrong-sort]: `everyone` is a list, not `Two`"),
        (
            "everyone: [Two]",
            "everyone: [Two]\nservice-apps: some",
            "12:15: error[bad-value]: `service-apps` cannot be `some`",
        ),
        ("by: approval", "by: aproval", "13:12: error[bad-value]: `by` cannot be `aproval` (did you mean `approval`?)"),
        ("by: approval", "by: feature", "13:41: error[unknown-key]: a gate has no key `keys`"),
        (
            "permissions: [One], keys",
            "permissions: [One], except: [Two], keys",
            "13:3: error[missing-key]: a gate closes either",
        ),
        ("keys: [client, tenant]", "keys: [client, tenat]", "13:57: error[unknown-name]: `tenat` is not a key"),
        ("{ client: c, tenant: t }", "{ client: c }", "13:76: error[missing-key]: the approval needs `tenant`"),
        (
            "{ client: c, tenant: t }",
            "{ client: c, tenant: t, user: u }",
            "error[unknown-name]: the gate has no key `user`",
        ),
        ("R2: { includes: [R1] }", "R2: { includes: [R3] }", "16:20: error[unknown-name]: no role is called `R3`"),
        (
            "R1: { permissions: [One] }",
            "R1: { permissions: [One], includes: [R2] }",
            "error[cycle]: roles include each other in a circle: R1 → R2 → R1",
        ),
        (
            "R1: { permissions: [One] }",
            "r2: { permissions: [One] }",
            "error[duplicate-name]: the roles `r2` and `R2` differ only in case or white space",
        ),
        (
            "R1: { permissions: [One] }",
            "R1: { permissions: [One], within: [{ tenant: t1 }] }",
            "15:38: error[missing-key]",
        ),
        (
            "u: { roles: [R2] }",
            "u: { roles: [R2], permissions: [One], without: [One] }",
            "18:51: error[contradiction]: `One` is granted to `u` and withdrawn in the same entry",
        ),
        (
            "u: { roles: [R2] }",
            "u: { roles: [R2: { tennant: t }] }",
            "18:22: error[unknown-name]: no scope is called `tennant` (did you mean `tenant`?)",
        ),
        ("u: { roles: [R2] }", "u: { roles: [R2] }\n  u: { roles: [] }", "19:3: error[duplicate-key]"),
        (
            "users:\n",
            "cors: { origins: [\"https://a.example/\"] }\nusers:\n",
            "17:19: error[bad-value]: `https://a.example/` is not an origin",
        ),
    ];
    let mut missed = Vec::new();
    for (from, to, expected) in table {
        let found = findings(&with(from, to));
        let errors: Vec<&String> = found.iter().filter(|line| line.contains("error[")).collect();
        if !errors.iter().any(|line| line.contains(expected)) {
            missed.push(format!("{to}: expected {expected}, found {errors:?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn an_operation_of_a_route_that_no_permission_has_is_noted_with_a_suggestion() {
    let found = findings(&with("POST: create A", "POST: creat A"));
    let expected = "5:37: note[unused-cell]: no permission has `creat A` (did you mean `create`?)";
    assert!(found.iter().any(|line| line.contains(expected)), "{found:#?}");
}

#[test]
fn a_name_with_a_comma_is_suggested_in_quotes() {
    let text = with("One: { A: CR }", "\"Manage Users, Roles, and Workspaces\": { A: CR }\n  One: { A: R }");
    let found = findings(&text.replace("everyone: [Two]", "everyone: [Manage Users, Roles, and Workspaces]"));
    assert!(
        found
            .iter()
            .any(|line| line.contains("a name with a comma needs quotes: \"Manage Users, Roles, and Workspaces\"")),
        "{found:#?}"
    );
}

#[test]
fn all_findings_come_in_one_run_and_in_file_order() {
    let text = with("everyone: [Two]", "everyone: [Tow]")
        .replace("resources: [A, B]", "resources: [A, B, B]")
        .replace("roles: [R2]", "roles: [R9]");
    let found = findings(&text);
    let lines: Vec<u32> = found.iter().map(|line| line.split(':').nth(1).unwrap().parse().unwrap()).collect();
    assert!(found.len() >= 3, "{found:#?}");
    assert!(lines.is_sorted(), "{found:#?}");
}

#[test]
fn a_folder_is_one_policy_and_a_name_occurs_in_one_file_only() {
    let more = "routes:\n  /{tenant}/b: { GET: read B }\n";
    assert_eq!(findings_of(&[("1.yaml", BASE), ("2.yaml", more)], None), Vec::<String>::new());
    let again = "version: 1\nroles:\n  R1: { permissions: [] }\n";
    let found = findings_of(&[("1.yaml", BASE), ("2.yaml", again)], None);
    assert!(
        found.iter().any(|line| line.starts_with("2.yaml:1:10: error[duplicate-key]: `version` occurs in two files")),
        "{found:#?}"
    );
    assert!(
        found.iter().any(|line| line.starts_with("2.yaml:3:3: error[duplicate-name]: the role `R1` is defined twice")),
        "{found:#?}"
    );
}

#[test]
fn an_id_names_an_existing_source() {
    let with_id = |id: &str| with("  u: { roles", &format!("  {id}: {{ roles"));
    let with_client =
        |client: &str| with("{ client: c,", &format!("{{ client: {client},")).replace("  u: {", "  a/u: {");
    let several = Some(&["a", "hospital"][..]);
    let table = [
        (with_id("u"), None, ""),
        (with_id("x/u"), None, ""),
        (with_id("u"), Some(&["a"][..]), ""),
        (with_id("a/u"), Some(&["a"][..]), ""),
        (
            with_id("CORP/u"),
            Some(&["a"][..]),
            "18:3: error[unknown-name]: this API accepts no identity source called `CORP` (an id that contains a slash follows its issuer: `a/CORP/u`)",
        ),
        (
            with_id("hospitl/u"),
            Some(&["hospital"][..]),
            "error[unknown-name]: this API accepts no identity source called `hospitl` (did you mean `hospital`?)",
        ),
        (
            with("  u: { roles: [R2] }", "  a/u: { roles: [R2] }\n  u: { roles: [] }"),
            Some(&["a"][..]),
            "19:3: error[duplicate-name]: the user `a/u` is defined twice",
        ),
        (with_client("a/c"), several, ""),
        (with_client("c"), several, "13:86: error[bad-value]: the id `c` does not name its identity source"),
        (with_id("u"), several, "18:3: error[bad-value]: the id `u` does not name its identity source"),
        (with_id("b/u"), several, "18:3: error[unknown-name]: this API accepts no identity source called `b`"),
    ];
    for (text, issuers, expected) in table {
        let found = findings_of(&[("p.yaml", &text)], issuers);
        let errors: Vec<&String> = found.iter().filter(|line| line.contains("error[")).collect();
        let fine =
            if expected.is_empty() { errors.is_empty() } else { errors.iter().any(|line| line.contains(expected)) };
        assert!(fine, "{expected}: {found:#?}\n{text}");
    }
}

#[test]
fn the_version_changes_with_every_text_and_with_its_split_into_files() {
    let version = |files: &[&str]| {
        let mut sources = Sources::default();
        for text in files {
            sources.add("p.yaml", text);
        }
        load(&sources, None).snapshot.unwrap().version.hash
    };
    let more = "routes:\n  /{tenant}/b: { GET: read B }\n";
    assert_eq!(version(&[BASE]), version(&[BASE]));
    assert_ne!(version(&[BASE]), version(&[&BASE.replace("granted: [{ client: c", "granted: [{ client: d")]));
    assert_ne!(version(&[BASE, more]), version(&[&format!("{BASE}# x\n"), more]));
}
