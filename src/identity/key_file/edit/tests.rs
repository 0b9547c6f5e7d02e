//! Tests of `key_file::edit`: adding and revoking keys changes no other byte.

use super::*;
use crate::identity::SecretDigest;
use crate::vocabulary::{Assignment, Proof, Subject};

const NOW: Timestamp = Timestamp(1_795_360_000);

fn entry(id: &str) -> KeyEntry {
    let subject = Subject { proof: Proof::ApiKey, kind: SubjectKind::User, ..Subject::default() };
    let digest = SecretDigest::of(b"s");
    KeyEntry { id: id.into(), digest, subject, created: Some(NOW), expires: None, revoked: None, comment: None }
}

fn digest() -> String {
    SecretDigest::of(b"s").to_string()
}

#[test]
fn a_key_is_added_to_the_empty_file_with_all_that_it_says() {
    let mut full = entry("alice");
    full.subject = Subject {
        kind: SubjectKind::Service,
        client: Some("app: 1".into()),
        tenants: vec!["t1".into(), "true".into()],
        roles: vec![Assignment::unbound("Level \"2\""), Assignment::unbound("#x")],
        groups: vec!["g".into()],
        permissions: vec!["Übersicht".into()],
        ..full.subject
    };
    full.expires = Some(NOW.plus(60));
    full.comment = Some("for the lab\nand others".into());
    let text = add_key(EMPTY_FILE, &full).unwrap();
    assert!(text.starts_with(EMPTY_FILE.trim_end_matches(" {}\n")), "{text}");
    assert!(holds_entries(&text, std::slice::from_ref(&full)), "{text}");
    let second = add_key(&text, &entry("0x10")).unwrap();
    assert!(second.starts_with(&text) && holds_entries(&second, &[full, entry("0x10")]), "{second}");
}

#[test]
fn what_stands_around_the_keys_stays() {
    let digest = digest();
    let layouts = [
        format!("# head\nkeys:\n  bob: {{ digest: \"{digest}\" }} # bob's\n  # under bob\n\n# foot\nversion: 1\n"),
        format!(
            "version: 1\nkeys:\n      bob:\n          comment: a # b\n          digest: {digest}\n          # in bob"
        ),
        format!("version: 1\r\nkeys:\r\n  bob:\r\n    digest: {digest}\r\n\r\n\r\n"),
        format!("version: 1\nkeys:\n  bob:\n    digest: {digest}\n    comment: |\n      # no comment\n\n      more\n"),
        "version: 1\nkeys: {} # none yet\n# foot\n".to_owned(),
        "keys:   {}\nversion: 1".to_owned(),
    ];
    for text in layouts {
        let edited = add_key(&text, &entry("alice")).unwrap_or_else(|| panic!("{text}"));
        let added = format_entry(&entry("alice"), 0);
        for line in added.lines() {
            assert!(edited.contains(line.trim()), "{edited}");
        }
        // Every line of the text is still there, in its order.
        let mut rest = edited.lines();
        for line in text.lines() {
            let line = line.replace("  {}", "").replace(" {}", "");
            assert!(rest.any(|other| other.trim_end() == line.trim_end()), "{line:?} has gone from {edited}");
        }
    }
}

#[test]
fn a_comment_stays_with_the_key_that_it_belongs_to() {
    let text = format!("version: 1\nkeys:\n  bob:\n    digest: {}\n    # bob is ill\n# end\n", digest());
    let edited = add_key(&text, &entry("alice")).unwrap();
    assert!(edited.contains("# bob is ill\n  \"alice\":\n"), "{edited}");
    assert!(edited.ends_with("Z\n# end\n"), "{edited}");
}

#[test]
fn a_key_is_revoked_where_it_stands() {
    let digest = digest();
    let table = [
        (
            format!(
                "version: 1\nkeys:\n  a:\n    digest: {digest} # mine\n    roles: [x]\n  b:\n    digest: {digest}\n"
            ),
            format!("# mine\n    revoked: {}\n    roles: [x]\n  b:", NOW),
        ),
        (
            format!("version: 1\nkeys:\n  a: {{ digest: \"{digest}\", roles: [x] }}\n  b: {{ digest: {digest} }}\n"),
            format!("\"{digest}\", revoked: {}, roles: [x] }}\n  b:", NOW),
        ),
        (
            format!("version: 1\nkeys:\n  b: {{ digest: {digest} }}\n  a:\n    roles: [x]\n    digest: {digest}"),
            format!("digest: {digest}\n    revoked: {}", NOW),
        ),
    ];
    for (text, expected) in table {
        let edited = revoke_key(&text, "a", NOW).unwrap_or_else(|| panic!("{text}"));
        assert!(edited.contains(&expected), "{edited}");
        let revoked: Vec<_> =
            KeyFileText::read(&edited).unwrap().entries.into_iter().filter(|e| e.revoked.is_some()).collect();
        assert_eq!(revoked.len(), 1);
        assert_eq!((&*revoked[0].id, revoked[0].revoked), ("a", Some(Some(NOW))));
    }
}

#[test]
fn what_cannot_be_edited_soundly_is_not_edited() {
    let one_line = format!("{{ version: 1, keys: {{ a: {{ digest: \"{}\" }} }} }}", digest());
    assert_eq!(add_key(&one_line, &entry("b")), None);
    assert!(revoke_key(&one_line, "a", NOW).is_some());
    let text = add_key(EMPTY_FILE, &entry("a")).unwrap();
    assert_eq!(add_key(&text, &entry("a")), None, "an id twice");
    assert_eq!(revoke_key(&text, "b", NOW), None);
    assert_eq!(revoke_key(&revoke_key(&text, "a", NOW).unwrap(), "a", NOW), None, "revoked already");
    assert_eq!(add_key("version: 1\n", &entry("a")), None);
}
