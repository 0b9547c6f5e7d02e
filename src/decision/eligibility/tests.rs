//! Eligible callers of the example policies, compared line by line.

use super::{CallerSet, EligibleCallers, eligible_callers};
use crate::decision::Reason;
use crate::document::{Sources, report};
use crate::policy::{self, Snapshot};
use crate::request::{OverrideMode, RawRequest, read};

fn load(text: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let loaded = policy::load(&sources, None);
    loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)))
}

/// The eligible callers, one line each: callers, group, row, obstacles or the refusal.
fn eligible_lines(policy: &Snapshot, method: &str, target: &str) -> Vec<String> {
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest { method, target: target.as_bytes(), host: None, headers: &headers };
    let request = read(&raw, policy.model.dialect, OverrideMode::Reject).unwrap();
    let found = policy.routes.match_route(request.method, &request.path, request.query).unwrap();
    eligible_callers(policy, &found.access).iter().map(|eligible| line(policy, eligible)).collect()
}

fn line(policy: &Snapshot, eligible: &EligibleCallers<'_>) -> String {
    let callers = match &eligible.callers {
        CallerSet::Everyone => "everyone".to_owned(),
        CallerSet::ServiceApps => "service apps".to_owned(),
        CallerSet::Group => "group".to_owned(),
        CallerSet::Role(at) => format!("role {}", policy.model.roles[usize::try_from(*at).unwrap()].name),
        CallerSet::Users(entries) => entries.iter().map(|entry| entry.id().to_string()).collect::<Vec<_>>().join("+"),
    };
    let group = eligible.group.map(|at| format!(" in {}", policy.model.groups[usize::try_from(at).unwrap()].name));
    let result = match (&*eligible.paths, eligible.refusal) {
        ([first, ..], None) => {
            let row = first.rows[0].1.and_then(|row| policy.row(row)).map_or("everything", |row| &row.name);
            let gates = if first.gates == 0 { "" } else { ", gated" };
            format!("{row}{gates}{}", if first.conditional { ", conditional" } else { "" })
        }
        (_, Some(Reason::Gate(_))) => "closed".to_owned(),
        (_, refusal) => refusal.unwrap().code().to_owned(),
    };
    format!("{callers}{}: {result}", group.unwrap_or_default())
}

const NOAH: &str = include_str!("../../../policies/noah-es.yaml");
const CARESTREAM: &str = include_str!("../../../policies/carestream.yaml");
const HID: &str = include_str!("../../../policies/hid-integration-service.yaml");

#[test]
fn roles_are_listed_with_their_rows_and_the_closed_gates() {
    let noah = load(NOAH);
    let merge = eligible_lines(&noah, "POST", "/t1/api/Patients/Merge");
    assert_eq!(merge[0], "service apps: everything");
    assert!(merge.contains(&"role BDM: Merge Patient Records, gated".to_owned()), "{merge:?}");
    assert!(!merge.iter().any(|line| line.starts_with("everyone")), "{merge:?}");
    let connect = eligible_lines(&noah, "POST", "/t1/api/AppConnection");
    assert_eq!(connect, ["service apps: everything", "everyone: Non-connected"]);
}

#[test]
fn groups_are_evaluated_one_by_one_and_users_in_their_own_group() {
    let print = eligible_lines(&load(CARESTREAM), "POST", "/api/studies/1/print");
    assert!(print.contains(&"group in Radiologists: Print Images".to_owned()), "{print:?}");
    assert!(print.contains(&"group in Technologists: taken-away".to_owned()), "{print:?}");
    assert!(print.contains(&"smith in Technologists: Print Images".to_owned()), "{print:?}");
    let text = CARESTREAM.replace("profile: Reading Client", "profile: Web Client");
    let mpr = eligible_lines(&load(&text), "GET", "/dicomweb/studies/1/series/2/mpr");
    assert!(mpr.contains(&"group in Clinicians: closed".to_owned()), "{mpr:?}");
    assert!(mpr.contains(&"jones in Radiologists: taken-away".to_owned()), "{mpr:?}");
}

#[test]
fn roles_that_must_be_bound_are_bound_to_the_request() {
    let lines = eligible_lines(&load(HID), "GET", "/ais/v1/tenant/t1/pacs/p7");
    let roles = ["role TenantAdministrator: PacsGet", "role PacsAdministrator: PacsGet"];
    assert!(roles.iter().all(|role| lines.iter().any(|line| line == role)), "{lines:?}");
}

#[test]
fn equal_users_are_one_set_and_one_role_requires_a_role() {
    let mut text = "version: 1\nname: p\none-role: true\nroutes: { /a: { GET: read A } }\nresources: [A]\n\
                    permissions: { Look: { A: R } }\neveryone: [Look]\n\
                    roles: { Guest: {}, Reader: { permissions: [Look] } }\nusers:\n"
        .to_owned();
    for at in 0..2_000 {
        text.push_str(&format!("  u{at}: {{ roles: [Guest] }}\n"));
    }
    text.push_str(
        "  late: { roles: [Reader: { when: \"now > timestamp('2001-01-01T00:00:00Z')\" }] }\n  cut: { roles: [] }\n",
    );
    let policy = load(&text);
    let lines = eligible_lines(&policy, "GET", "/a");
    assert_eq!(lines[..2], ["role Guest: Look", "role Reader: Look"]);
    assert_eq!(lines.len(), 4, "{:?}", &lines[2..]);
    assert!(lines[2].starts_with("u0+u1+") && lines[2].ends_with("+u1999: Look"));
    assert_eq!(lines[3], "late: Look, conditional", "only the conditional role makes one role");
}
