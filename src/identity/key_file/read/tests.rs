//! Tests of `key_file::read`: valid key files, and the findings of invalid ones.

use super::*;
use crate::document::report;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn load(text: &str) -> Result<Vec<KeyEntry>, Vec<String>> {
    let mut sources = Sources::default();
    let file = sources.add("k", text);
    let mut findings = Findings::default();
    let entries = read(&sources, file, &mut findings);
    let lines = findings.sorted().into_iter().map(|finding| report::line(finding, &sources)).collect();
    entries.ok_or(lines)
}

fn with(rest: &str) -> String {
    format!("version: 1\nkeys:\n  alice:\n    digest: {DIGEST}\n{rest}")
}

#[test]
fn a_key_says_whose_it_is_in_the_words_of_a_stated_caller() {
    let text = with(
        "    kind: service\n    client: app-1\n    tenants: [t1, t2]\n    groups: [g]\n    permissions: [Notes]\n    \
         roles: [Level 1, { Level 2: { tenant: t1 } }]\n    created: 2026-01-01T00:00:00Z\n    \
         expires: \"2027-01-01T00:00:00Z\"\n    comment: for the lab\n",
    );
    let entry = load(&text).unwrap().remove(0);
    let stated = r#"{"kind":"service","client":"app-1","tenants":["t1","t2"],"groups":["g"],"permissions":["Notes"],
                     "roles":["Level 1",{"Level 2":{"tenant":"t1"}}]}"#;
    let stated: Subject = serde_json::from_str(stated).unwrap();
    assert_eq!(entry.subject, Subject { proof: Proof::ApiKey, ..stated });
    assert_eq!(entry.digest, SecretDigest::of(b"test"));
    assert_eq!((&*entry.id, entry.comment.as_deref()), ("alice", Some("for the lab")));
    assert_eq!(entry.expires.map(|at| at.to_string()).as_deref(), Some("2027-01-01T00:00:00Z"));
    let single = load(&with("    tenant: t1\n    group: g\n")).unwrap().remove(0).subject;
    assert_eq!((single.tenants, single.groups, single.kind), (vec!["t1".into()], vec!["g".into()], SubjectKind::User));
}

#[test]
fn a_key_may_be_revoked_in_two_spellings() {
    for (written, expected) in [
        ("", None),
        ("    revoked: true\n", Some(None)),
        ("    revoked: 1970-01-01T00:00:07Z\n", Some(Some(Timestamp(7)))),
        ("    revoked: \"1970-01-01T00:00:07Z\"\n", Some(Some(Timestamp(7)))),
    ] {
        assert_eq!(load(&with(written)).unwrap()[0].revoked, expected, "{written}");
    }
}

#[test]
fn what_is_wrong_is_found_where_it_stands() {
    let table = [
        (String::new(), "k:1:1: error[yaml-syntax]"),
        ("version: 1\n".into(), "k:1:1: error[missing-key]: a file of API keys needs `keys`"),
        ("keys: {}\n".into(), "k:1:1: error[missing-key]: a file of API keys needs `version`"),
        ("version: 2\nkeys: {}\n".into(), "k:1:10: error[bad-value]"),
        ("version: 1\nkeys: []\n".into(), "k:2:7: error[wrong-sort]"),
        ("version: 1\nkeys:\n".into(), "error[empty-value]"),
        (
            "version: 1\nkey: {}\n".into(),
            "k:2:1: error[unknown-key]: a file of API keys has no key `key` (did you mean `keys`?)",
        ),
        ("version: 1\nkeys: { alice: {} }\n".into(), "k:2:16: error[missing-key]: a key needs `digest`"),
        (with("    rolles: [a]\n"), "k:5:5: error[unknown-key]: a key has no key `rolles` (did you mean `roles`?)"),
        (with("    roles: a\n"), "k:5:12: error[wrong-sort]"),
        (with("    kind: sevice\n"), "k:5:11: error[bad-value]: `kind` cannot be `sevice` (did you mean `service`?)"),
        (with("    kind: anonymous\n"), "k:5:11: error[bad-value]"),
        (with("    tenant: a\n    tenants: [b]\n"), "k:6:14: error[bad-value]: `tenant` and `tenants`"),
        (with("    expires: 2027-01-01\n"), "k:5:14: error[bad-value]: `expires` is a time in UTC"),
        (with("    revoked: false\n"), "k:5:14: error[bad-value]: `revoked` is `true` or the time"),
        (with("    revoked: yes\n"), "k:5:14: error[bad-value]"),
        (
            with("    created: 2027-01-01T00:00:00Z\n    expires: 2026-01-01T00:00:00Z\n"),
            "k:6:14: error[bad-value]: `expires` is before `created`",
        ),
        (with("  alice: {}\n"), "k:5:3: error[duplicate-key]"),
        (with("").replace("alice", "al/ice"), "k:3:3: error[bad-value]: an id is at most 64 letters"),
        (with("").replace("alice", "\"\""), "k:3:3: error[bad-value]"),
        (with("").replace("alice", "1e5"), "k:3:3: error[needs-quotes]"),
        (with("").replace("alice", "älice"), "k:3:3: error[bad-value]"),
        (with("").replace("sha256:", "sha1:"), "k:4:13: error[bad-value]: `digest` is `sha256:` and 64 digits"),
        (with("").replace("9f86", "9F86"), "k:4:13: error[bad-value]"),
    ];
    for (text, expected) in table {
        let lines = load(&text).err().unwrap_or_else(|| panic!("nothing is found in {text}"));
        assert!(lines.iter().any(|line| line.contains(expected)), "{text}\n{expected}\n{lines:#?}");
    }
}

#[test]
fn a_secret_that_was_pasted_into_the_file_is_not_repeated() {
    for text in [
        "version: 1\nkeys:\n  alice: hunter2hunter2\n".to_owned(),
        "version: 1\nkeys:\n  alice: [hunter2hunter2]\n".to_owned(),
        format!("version: 1\nkeys:\n  alice:hunter2hunter2: {{ digest: \"{DIGEST}\" }}\n"),
        format!("version: 1\nkeys:\n  \"alice:hunter2hunter2\": {{ digest: \"{DIGEST}\" }}\n"),
        "version: 1\nkeys:\n  alice: { digest: hunter2hunter2 }\n".to_owned(),
        "version: 1\nkeys:\n  alice: { digest: \"hunter2hunter2\" }\n".to_owned(),
        with("    secret: hunter2hunter2\n"),
        with("    expires: hunter2hunter2\n"),
        with("    revoked: hunter2hunter2\n"),
    ] {
        let lines = load(&text).unwrap_err();
        assert!(!lines.is_empty() && !lines.concat().contains("hunter2"), "{lines:#?}");
    }
}

#[test]
fn what_a_file_may_claim_is_limited_by_the_settings() {
    let text = with("    tenants: [t1, t2]\n    roles: [Level 1, Admin]\n    permissions: [Notes]\n");
    let caller = |claim_limits: &ClaimLimits| {
        let ring = build_ring(load(&text).unwrap(), "machines", claim_limits);
        let presented = crate::identity::PresentedCredential::Key { header: "x", value: b"alice:test" };
        let presented = crate::identity::PresentedKey::read(presented).unwrap();
        ring.verify(&presented, Timestamp(0)).map(|verified| verified.subject.clone())
    };
    let free = caller(&ClaimLimits::default()).unwrap();
    assert_eq!((free.roles.len(), free.tenants.len(), free.permissions.len()), (2, 2, 1));
    assert_eq!(free.id.unwrap().to_string(), "machines/alice");
    let roles = caller(&ClaimLimits { roles: Some(vec!["Level 1".into()]), ..ClaimLimits::default() }).unwrap();
    assert_eq!((roles.roles, roles.permissions), (vec![Assignment::unbound("Level 1")], vec![]));
    let tenants = caller(&ClaimLimits { tenants: Some(vec!["t2".into()]), ..ClaimLimits::default() }).unwrap();
    assert_eq!(tenants.tenants, ["t2".into()]);
    let services = ClaimLimits { users_refused: true, ..ClaimLimits::default() };
    assert_eq!(caller(&services), Err(IdentityError::KindRefused));
}
