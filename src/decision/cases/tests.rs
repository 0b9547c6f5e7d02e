//! Valid and invalid cases files, and the findings about them.

use crate::document::{Findings, Sources, report};
use crate::policy;
use crate::vocabulary::Timestamp;

use super::{CaseCoverage, CaseStatus, TrialContext, check_cases, read_suite, run_suite};

const POLICY: &str = "\
version: 1
name: a
scopes: { tenant: caller, site: grant }
routes:
  /{tenant}/patients:            { GET: read Patients, POST: create Patients, DELETE: nobody }
  /{tenant}/sites/{site}/visits: { GET: read Visits }
  /entries: { GET: { by-type: { image/*: read Images, otherwise: read Files } } }
  /late:    { GET: { need: read Patients, when: \"now >= timestamp('2026-12-01T00:00:00Z')\" } }
resources: [Patients, Visits, Images, Files]
fields: { PHI: { Patients: [$..name] } }
permissions:
  Read:     { Patients: R, Visits: R }
  Write:    { Patients: CR }
  Images:   { Images: R }
  View PHI: { PHI: R }
everyone: [Read]
gates:
  app: { by: approval, permissions: [Write], keys: [client], asked-by: [read Visits], approvers: [Read], granted: [] }
roles:
  Editor: { permissions: [Write] }
";

const CALLERS: &str = "\
callers:
  reader: { tenant: t1 }
  editor: { id: e1, tenant: t1, roles: [Editor], approved: [app] }
  waiting: { tenant: t1, roles: [Editor] }
  viewer: { tenant: t1, permissions: [View PHI, Images] }
  nobody: { kind: anonymous }
";

fn sources(cases: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add("a.yaml", POLICY);
    sources.add("a.cases.yaml", cases);
    sources
}

fn with_context<T>(sources: &Sources, then: impl FnOnce(&TrialContext<'_>) -> T) -> T {
    let mut own = Sources::default();
    own.add("a.yaml", POLICY);
    let loaded = policy::load(&own, None);
    let policy = loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &own)));
    then(&TrialContext {
        policy: &policy,
        sources,
        files: 1,
        issuers: None,
        path: "a.yaml",
        now: Timestamp(1_780_000_000),
    })
}

/// The findings about these cases, one line each.
fn found(cases: &str) -> Vec<String> {
    let sources = sources(&format!("{CALLERS}{cases}"));
    let findings = with_context(&sources, check_cases);
    let lines = findings.sorted().into_iter().map(|finding| report::line(finding, &sources));
    lines.filter(|line| !line.contains("note[unused]")).collect()
}

#[track_caller]
fn finds(case: &str, expected: &[&str]) {
    let lines = found(&format!("cases:\n  - {case}\n"));
    assert_eq!(lines.len(), 1, "{case}\n{lines:#?}");
    for part in expected {
        assert!(lines[0].contains(part), "{part}\n{}", lines[0]);
    }
}

#[test]
fn every_key_of_a_case_passes_when_it_is_met() {
    let lines = found(
        "variants:
  open:
    drop: [[gates, app]]
  nobody reads:
    drop: [everyone, [routes, \"/late\"]]
    add: { everyone: [View PHI] }
  a user: { users: { e1: { without: [Write] } } }
cases:
  - { as: reader, permit: GET /t1/patients, by: Read, masks: [PHI], asks: [] }
  - { as: viewer, permit: GET /t1/patients, masks: [] }
  - { as: reader, permit: \"GET /t1/sites/s1/visits?page=2,3\", asks: [app], proves: [R1], decision: 1 }
  - { as: editor, permit: POST /t1/patients, by: Write }
  - { as: waiting, refuse: POST /t1/patients, reason: gate:app, note: \"it waits, still\" }
  - { in: open, as: waiting, permit: POST /t1/patients, by: Write }
  - { in: nobody reads, as: reader, refuse: GET /t1/patients, reason: not-granted }
  - { in: nobody reads, as: reader, refuse: GET /late, reason: no-route }
  - { in: a user, as: editor, refuse: POST /t1/patients, reason: taken-away }
  - { as: viewer, permit: GET /entries, answered-as: image/png, by: Images }
  - { as: viewer, refuse: GET /entries, answered-as: text/plain, reason: wrong-type }
  - { as: reader, at: \"2026-12-01T00:00:00Z\", permit: GET /late }
  - { as: reader, at: \"2026-11-30T23:59:59Z\", refuse: GET /late, reason: condition }
  - { as: editor, refuse: DELETE /t1/patients, reason: nobody }
  - { as: nobody, refuse: GET /elsewhere, reason: unauthenticated }
  - as: reader
    refuse: GET /t2/patients
    reason: not-a-member
",
    );
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn a_failed_case_names_the_expected_and_the_actual_decision_and_the_explain_command() {
    finds(
        "{ as: editor, refuse: GET /t1/patients, reason: not-granted }",
        &[
            "a.cases.yaml:8:",
            "error[case-failed]: `editor`: `GET /t1/patients` should be refused as `not-granted`, but is permitted by `Read`",
            r#"`portcullis explain a.yaml --as '{"id":"e1","tenants":["t1"],"roles":["Editor"],"approved":["app"]}' GET /t1/patients`"#,
        ],
    );
    finds(
        "{ as: waiting, permit: POST /t1/patients }",
        &["should be permitted, but is refused as `gate:app` because of `create Patients`", r#""roles":["Editor"]}'"#],
    );
    finds(
        "{ as: reader, refuse: POST /t1/patients, reason: taken-away }",
        &["should be refused as `taken-away`, but is refused as `not-granted` because of `create Patients`"],
    );
    finds(
        "{ as: reader, permit: GET /t1/patients, by: Write }",
        &["should be permitted by `Write`, but is permitted by `Read`"],
    );
    finds("{ as: reader, permit: GET /t1/patients, masks: [] }", &["should mask nothing, but masks `PHI`"]);
    finds("{ as: reader, permit: GET /t1/patients, asks: [app] }", &["should ask for `app`, but asks for nothing"]);
    finds("{ as: nobody, permit: GET /x, by: Read }", &["(`portcullis explain a.yaml GET /x`)"]);
}

#[test]
fn errors_in_a_case_are_reported_with_their_span_and_help() {
    let table: &[(&str, &[&str])] = &[
        ("{ as: raeder, permit: GET /x }", &["a.cases.yaml:8:11: error[unknown-name]", "did you mean `reader`?"]),
        ("{ as: reader, in: a varant, permit: GET /x }", &["8:23: error[unknown-name]: no variant is called"]),
        ("{ permit: GET /x }", &["error[missing-key]: a case needs `as`"]),
        ("{ as: reader }", &["error[missing-key]: a case needs `permit` or `refuse`"]),
        ("{ as: reader, permit: GET /x, refuse: GET /x, reason: nobody }", &["either `permit` or `refuse`"]),
        ("{ as: reader, refuse: GET /x }", &["error[missing-key]: a refusal needs its `reason`"]),
        ("{ as: reader, refuse: GET /x, reason: not-grated }", &["error[bad-value]", "did you mean `not-granted`?"]),
        ("{ as: reader, refuse: GET /x, reason: gate }", &["a closed gate is named: `gate:NAME`"]),
        ("{ as: reader, refuse: GET /x, reason: \"gate:ap\" }", &["no gate of the policy", "did you mean `app`?"]),
        ("{ as: reader, refuse: GET /x, reason: granted }", &["is not a reason for a refusal"]),
        ("{ as: reader, permit: GET /x, reason: nobody }", &["a permit has no `reason`"]),
        ("{ as: reader, refuse: GET /x, reason: nobody, masks: [] }", &["a refusal has no `masks`"]),
        ("{ as: reader, permit: /x }", &["`/x` is not a request", "`GET /patients`"]),
        ("{ as: reader, permit: GET /x, by: Raed }", &["no permission of the policy", "did you mean `Read`?"]),
        ("{ as: reader, permit: GET /x, masks: [PHJ] }", &["no field set of the policy", "did you mean `PHI`?"]),
        ("{ as: reader, permit: GET /x, at: 2026-12-01T00:00:00Z }", &["error[needs-quotes]"]),
        ("{ as: reader, permit: GET /x, at: \"tomorrow\" }", &["`tomorrow` is not a time since 1970"]),
        ("{ as: reader, permit: GET /x, answered-as: png }", &["`png` is not a media type"]),
        ("{ as: reader, permit: GET /x, decision: many }", &["`decision` is a whole number"]),
        ("{ as: reader, permit: GET /x, note: one, two }", &["no key `two`", "a text with a comma needs quotes"]),
        ("{ as: reader, permit: GET /x, needs: [Read] }", &["no key `needs`", "known keys: as, in, permit"]),
    ];
    for (case, expected) in table {
        finds(case, expected);
    }
    assert!(found("cases: []\n")[0].contains("the list of cases is empty"));
    assert!(found("")[0].contains("a cases file needs `cases`"));
}

#[test]
fn errors_in_a_caller_are_reported_with_their_span_and_help() {
    let table = [
        ("{ tennant: t1 }", "1:16: error[unknown-key]: a caller has no key `tennant` (did you mean `tenant`?)"),
        ("{ tenant: t1, tenants: [t2] }", "`tenant` and `tenants` exclude each other"),
        ("{ kind: robot }", "1:22: error[bad-value]: `kind` cannot be `robot`"),
        ("{ tenant: 0123 }", "error[needs-quotes]"),
        ("{ claims: { level: 0123 } }", "error[needs-quotes]: a claim is a text"),
        ("{ roles: Editor }", "`roles` is a list, not `Editor`"),
        (
            "{ approved: [apq] }",
            "1:27: error[unknown-name]: no gate of the policy is called `apq` (did you mean `app`?)",
        ),
    ];
    for (caller, expected) in table {
        let text = format!("callers: {{ a: {caller} }}\ncases:\n  - {{ as: a, refuse: GET /x, reason: no-route }}\n");
        let sources = sources(&text.replace("callers: { a: ", "callers: {a: "));
        let findings = with_context(&sources, check_cases);
        let lines: Vec<String> = findings.sorted().iter().map(|finding| report::line(finding, &sources)).collect();
        assert_eq!(lines.len(), 1, "{caller}\n{lines:#?}");
        assert!(lines[0].contains(expected), "{expected}\n{lines:#?}");
    }
}

#[test]
fn claims_are_read_as_a_token_would_carry_them() {
    let text = "callers:\n  a: { claims: { level: 3, acr: mfa, vip: true, none: null, zip: \"0123\", many: [1, { b: 2.5 }] } }\n\
                cases:\n  - { as: a, permit: GET /x }\n";
    let sources = sources(text);
    let mut findings = Findings::default();
    let suite = read_suite(&sources, 1, &mut findings).unwrap();
    assert!(findings.is_empty(), "{}", report::human(&findings, &sources));
    let expected = serde_json::json!({
        "level": 3, "acr": "mfa", "vip": true, "none": null, "zip": "0123", "many": [1, { "b": 2.5 }]
    });
    assert_eq!(serde_json::Value::Object(suite.callers[0].subject.claims.clone()), expected);
}

#[test]
fn a_caller_is_the_same_in_yaml_and_in_the_as_option() {
    let text = "callers:
  a: { id: hospital/smith, kind: service, client: app-1, tenants: [t1, t2], group: g, permissions: [\"None\"],
       roles: [Level 2, { Pacs: { tenant: t1, pacs: [p7, p8] } }], claims: { level: 3 }, approved: [app] }
cases:
  - { as: a, permit: GET /x }
";
    let mut findings = Findings::default();
    let suite = read_suite(&sources(text), 1, &mut findings).unwrap();
    let json = super::caller::caller_json(&suite.callers[0].subject);
    let mut read: crate::vocabulary::Subject = serde_json::from_str(&json).unwrap();
    read.roles.iter_mut().for_each(|role| role.scope.sort());
    let mut original = suite.callers[0].subject.clone();
    original.roles.iter_mut().for_each(|role| role.scope.sort());
    assert_eq!(read, original, "{json}");
}

#[test]
fn errors_in_a_variant_name_it_and_its_cases_are_not_tried() {
    let table = [
        (
            "{ drop: [rolles] }",
            "3:15: error[unknown-name]: in the variant `v`: the policy has no `rolles` to drop (did you mean `roles`?)",
        ),
        (
            "{ drop: [routes, /late] }",
            "an entry under another key is written as a list of its own: `drop: [[routes, \"/late\"]]`",
        ),
        ("{ drop: [[routes, /lates]] }", "the policy has no `/lates` under `routes` to drop (did you mean `/late`?)"),
        ("{ roles: { Editor: { permissions: [Read] } } }", "in the variant `v`: "),
        (
            "{ drop: [[roles, Editor]], add: { users: { u: { roles: [Editor] } } } }",
            "in the variant `v`: no role is called",
        ),
        ("{ everyone: [Write] }", "in the variant `v`: `everyone` occurs in two files of the policy"),
        ("{ rolles: {} }", "in the variant `v`: a policy has no key `rolles`"),
        ("{ drop: [[permissions, Write]] }", "in the variant `v`: no permission is called `Write`"),
    ];
    for (variant, expected) in table {
        let text = format!(
            "callers: {{ a: {{}} }}\nvariants:\n  v: {variant}\ncases:\n  - {{ in: v, as: a, refuse: GET /x, reason: no-route }}\n"
        );
        let sources = sources(&text);
        let mut findings = Findings::default();
        let suite = read_suite(&sources, 1, &mut findings).unwrap();
        with_context(&sources, |context| {
            let mut coverage = CaseCoverage::of(context.policy);
            let results = run_suite(&suite, context, &|_| true, &mut coverage, &mut findings, &mut || {});
            assert!(matches!(results[0].status, CaseStatus::NotTried), "{variant}");
        });
        let lines: Vec<String> = findings.sorted().iter().map(|finding| report::line(finding, &sources)).collect();
        assert!(lines.iter().any(|line| line.contains(expected)), "{expected}\n{lines:#?}");
        assert!(lines.iter().all(|line| line.contains("in the variant `v`")), "{lines:#?}");
    }
}

#[test]
fn callers_and_variants_that_no_case_uses_are_notes() {
    let text = "callers: { a: {}, b: {} }\nvariants:\n  v: { one-role: true }\ncases:\n  - { as: a, refuse: GET /x, reason: no-route }\n";
    let sources = sources(text);
    let findings = with_context(&sources, check_cases);
    assert!(!findings.has_errors());
    let lines: Vec<String> = findings.sorted().iter().map(|finding| report::line(finding, &sources)).collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("1:19: note[unused]: no case uses the caller `b`"), "{lines:#?}");
    assert!(lines[1].contains("3:3: note[unused]: no case uses the variant `v`"), "{lines:#?}");
}

#[test]
fn coverage_counts_passed_cases_by_cell_rule_and_decision() {
    let cases = "cases:
  - { as: reader, permit: GET /t1/patients, proves: [R1, R2], decision: 7 }
  - { as: reader, refuse: POST /t1/patients, reason: not-granted, proves: [R1] }
  - { as: viewer, permit: GET /entries }
  - { as: reader, permit: POST /t1/patients, proves: [R3], decision: 8 }
";
    let sources = sources(&format!("{CALLERS}{cases}"));
    let mut findings = Findings::default();
    let suite = read_suite(&sources, 1, &mut findings).unwrap();
    with_context(&sources, |context| {
        let mut coverage = CaseCoverage::of(context.policy);
        run_suite(&suite, context, &|_| true, &mut coverage, &mut findings, &mut || {});
        let cells: Vec<String> =
            coverage.cells.iter().map(|one| format!("{} {} {}", one.cell, one.permitted, one.refused)).collect();
        let expected =
            ["read Patients 1 0", "create Patients 0 1", "read Visits 0 0", "read Images 1 0", "read Files 0 0"];
        assert_eq!(cells, expected);
        assert_eq!(coverage.counts(), (2, 1));
        let rules: Vec<(&str, usize, usize)> =
            coverage.rules.iter().map(|proof| (&*proof.rule, proof.permits, proof.refusals)).collect();
        assert_eq!(rules, [("R1", 1, 1), ("R2", 1, 0)]);
        assert_eq!(coverage.decisions.into_iter().collect::<Vec<_>>(), [7]);
    });
}
