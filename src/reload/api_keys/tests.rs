//! Tests of API keys that change with their file, and of a broken file, which changes nothing.

use super::*;
use crate::identity::SecretDigest;
use crate::identity::issuer::ClaimLimits;

const NOW: Timestamp = Timestamp(1_000);

struct KeyFolder {
    folder: tempfile::TempDir,
}

impl KeyFolder {
    fn new(text: &str) -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        folder.write(text);
        folder
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("keys.yaml"), text).unwrap();
    }

    fn source(&self) -> ApiKeySource {
        let file = self.folder.path().join("keys.yaml");
        let header = Some("X-Api-Key".into());
        ApiKeySource { name: "machines".into(), file, header, basic: true, claim_limits: ClaimLimits::default() }
    }
}

/// A file with one key whose secret is `secret`.
fn file_of(id: &str, secret: &str, rest: &str) -> String {
    format!("version: 1\nkeys:\n  {id}:\n    digest: {}\n{rest}", SecretDigest::of(secret.as_bytes()))
}

fn verify_key(keys: &ApiKeys, value: &[u8]) -> Result<Arc<VerifiedCaller>, IdentityError> {
    keys.verify(PresentedCredential::Key { header: "X-Api-Key", value }, NOW)
}

#[test]
fn a_changed_file_counts_and_a_broken_one_changes_nothing() {
    let folder = KeyFolder::new(&file_of("alice", "s", ""));
    let file = KeyFile::open(&folder.source()).unwrap();
    let keys = ApiKeys::new(vec![Arc::clone(&file)]);
    assert!(verify_key(&keys, b"alice:s").is_ok());
    assert_eq!(file.refresh(), RefreshResult::Unchanged);
    folder.write(&file_of("alice", "s", "    revoked: no\n"));
    assert_eq!((file.refresh(), file.refresh()), (RefreshResult::Refused, RefreshResult::Unchanged));
    assert!(verify_key(&keys, b"alice:s").is_ok());
    assert!(file.state().refused.as_deref().is_some_and(|why| why.contains("keys.yaml:5:14: error[bad-value]")));
    std::fs::remove_file(file.path()).unwrap();
    assert_eq!((file.refresh(), file.refresh()), (RefreshResult::Refused, RefreshResult::Unchanged));
    assert!(verify_key(&keys, b"alice:s").is_ok());
    folder.write(&file_of("alice", "s", "    revoked: true\n"));
    assert_eq!(file.refresh(), RefreshResult::Published);
    assert_eq!(verify_key(&keys, b"alice:s"), Err(IdentityError::ApiKeyRevoked));
    assert!(file.state().refused.is_none());
    folder.write("version: 1\nkeys: {}\n");
    assert_eq!(file.refresh(), RefreshResult::Published);
    assert_eq!(verify_key(&keys, b"alice:s"), Err(IdentityError::UnknownApiKey));
    assert_eq!(file.state().keys, 0);
}

#[test]
fn a_caller_stays_valid_until_its_own_key_changes() {
    let folder = KeyFolder::new(&file_of("alice", "s", ""));
    let file = KeyFile::open(&folder.source()).unwrap();
    let keys = ApiKeys::new(vec![Arc::clone(&file)]);
    let caller = verify_key(&keys, b"alice:s").unwrap();
    assert!(keys.is_still_valid(&caller));
    folder.write(&format!("{}# and a comment\n", file_of("alice", "s", "    comment: hers\n")));
    assert_eq!(file.refresh(), RefreshResult::Published);
    assert!(keys.is_still_valid(&caller));
    folder.write(&file_of("alice", "new", ""));
    assert_eq!(file.refresh(), RefreshResult::Published);
    assert!(!keys.is_still_valid(&caller));
    assert!(!ApiKeys::default().is_still_valid(&caller));
    let token = VerifiedCaller { subject: crate::vocabulary::Subject::anonymous(), expires: NOW };
    assert!(keys.is_still_valid(&Arc::new(token)));
}

#[test]
fn a_key_counts_only_in_the_presentation_of_its_file() {
    let folder = KeyFolder::new(&file_of("alice", "s", ""));
    let open = |header: Option<&str>, basic: bool| {
        let source = ApiKeySource { header: header.map(Into::into), basic, ..folder.source() };
        ApiKeys::new(vec![KeyFile::open(&source).unwrap()])
    };
    let basic = PresentedCredential::Basic("YWxpY2U6cw==");
    let key = PresentedCredential::Key { header: "X-Api-Key", value: b"alice:s" };
    let unknown = Err(IdentityError::UnknownScheme);
    let in_header = open(Some("X-Api-Key"), false);
    assert!(in_header.verify(key, NOW).is_ok());
    assert_eq!(in_header.verify(basic, NOW), unknown);
    let in_basic = open(None, true);
    assert!(in_basic.verify(basic, NOW).is_ok());
    assert_eq!(in_basic.verify(key, NOW), unknown);
    assert_eq!(open(Some("X-Other"), false).verify(key, NOW), unknown);
    assert_eq!(in_basic.verify(PresentedCredential::Token("a.b.c"), NOW), unknown);
}

#[test]
fn a_file_that_is_not_good_at_the_start_is_reported_without_its_lines() {
    let folder = KeyFolder::new("version: 1\nkeys:\n  alice: { secret: hunter2 }\n");
    let lines = KeyFile::open(&folder.source()).unwrap_err();
    assert!(lines.iter().any(|line| line.contains("keys.yaml:3:12: error[unknown-key]")), "{lines:#?}");
    assert!(!lines.concat().contains("hunter2"), "{lines:#?}");
    let folder = ApiKeySource { file: folder.folder.path().to_owned(), ..folder.source() };
    assert!(KeyFile::open(&folder).unwrap_err().concat().contains("is no file"));
}
