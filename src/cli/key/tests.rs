//! Tests of `key`: keys are created, shown once, listed and revoked, and the file keeps its mode and owner.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::Exit;
use crate::cli::tests::{Closed, portcullis};
use crate::identity::key_file::KeyEntry;
use crate::identity::{PresentedCredential, PresentedKey, SecretDigest, key_file};
use crate::reload::api_keys;
use crate::vocabulary::{SubjectKind, Timestamp};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> String {
        self.folder.path().join("keys.yaml").to_str().unwrap().to_owned()
    }

    fn key(&self, command: &str, more: &[&str]) -> (Exit, String, String) {
        portcullis(&[&["key", command, "--file", &self.path()], more].concat())
    }

    fn entries(&self) -> Vec<KeyEntry> {
        api_keys::read(Path::new(&self.path())).unwrap_or_else(|(findings, _)| panic!("{findings:?}"))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn mode(&self) -> u32 {
        std::fs::metadata(self.path()).unwrap().permissions().mode() & 0o7777
    }

    /// The names of all files in the folder.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn a_key_is_shown_once_and_only_its_digest_is_kept() {
    let bench = Bench::new();
    let (exit, out, err) = bench.key("create", &["--id", "alice", "--role", "Level 1", "--tenant", "t1"]);
    assert_eq!(exit, Exit::Done, "{err}");
    let secret = out.strip_prefix("alice:").and_then(|rest| rest.strip_suffix('\n')).unwrap();
    assert_eq!(secret.len(), 43);
    assert!(!secret.contains(':') && !err.contains(secret) && err.contains("shown once"), "{err}");
    assert!(!bench.text().contains(secret), "{}", bench.text());
    assert_eq!((bench.mode(), bench.names()), (0o600, vec!["keys.yaml".to_owned()]));
    let entry = bench.entries().remove(0);
    assert_eq!(entry.digest, SecretDigest::of(secret.as_bytes()));
    assert_eq!((&*entry.subject.roles[0].role, &*entry.subject.tenants[0]), ("Level 1", "t1"));
    assert_eq!(entry.expires, entry.created.map(|created| created.plus(365 * 86_400)));
    let ring = key_file::build_ring(bench.entries(), "machines", &Default::default());
    let presented = PresentedKey::read(PresentedCredential::Key { header: "x", value: out.trim().as_bytes() }).unwrap();
    assert!(ring.verify(&presented, entry.created.unwrap()).is_ok());
}

#[test]
fn a_key_has_all_requested_properties_and_two_secrets_differ() {
    let bench = Bench::new();
    let all = [
        "--id",
        "lab",
        "--kind",
        "service",
        "--role",
        "a",
        "--role",
        "b",
        "--tenant",
        "t1",
        "--tenant",
        "t2",
        "--group",
        "g",
        "--permission",
        "View stock",
        "--client",
        "app-1",
        "--expires",
        "2030-01-31T12:00:00Z",
        "--comment",
        "for \"the lab\": room 3 # left",
    ];
    let (exit, first, err) = bench.key("create", &all);
    assert_eq!(exit, Exit::Done, "{err}");
    let (exit, second, _) = bench.key("create", &["--id", "lab2", "--expires", "never"]);
    assert_eq!(exit, Exit::Done);
    assert_ne!(first.trim().strip_prefix("lab:"), second.trim().strip_prefix("lab2:"));
    let entries = bench.entries();
    let subject = &entries[0].subject;
    assert_eq!((subject.kind, subject.client.as_deref()), (SubjectKind::Service, Some("app-1")));
    assert_eq!((subject.roles.len(), subject.tenants.len(), subject.groups.len()), (2, 2, 1));
    assert_eq!(subject.permissions, ["View stock".into()]);
    assert_eq!(entries[0].comment.as_deref(), Some("for \"the lab\": room 3 # left"));
    assert_eq!((entries[0].expires, entries[1].expires), (Some(Timestamp(1_896_091_200)), None));
    let (exit, list, _) = bench.key("list", &[]);
    assert_eq!(exit, Exit::Done);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("id    state  kind     expires"), "{list}");
    assert!(lines[1].starts_with("lab   valid  service  2030-01-31T12:00:00Z  t1, t2   a, b   for"), "{list}");
    assert_eq!(lines[2], "lab2  valid  user     never");
}

#[test]
fn an_id_is_never_given_twice_and_a_refusal_changes_nothing() {
    let bench = Bench::new();
    bench.key("create", &["--id", "alice"]);
    let before = bench.text();
    let (exit, out, err) = bench.key("create", &["--id", "alice"]);
    assert_eq!((exit, out.as_str()), (Exit::Findings, ""));
    assert!(err.contains("has a key `alice` already"), "{err}");
    assert_eq!((bench.text(), bench.names().len()), (before.clone(), 1));
    assert_eq!(bench.key("revoke", &["--id", "alice"]).0, Exit::Done);
    assert_eq!(bench.key("create", &["--id", "alice"]).0, Exit::Findings, "nor after it was revoked");
    for wrong in [
        &["--id", "al:ice"][..],
        &["--id", ""],
        &["--id", "bob", "--expires", "soon"],
        &["--id", "bob", "--expires", "90"],
        &["--id", "bob", "--expires", "0d"],
        &["--id", "bob", "--expires", "2020-01-01T00:00:00Z"],
        &["--id", "bob", "--kind", "anonymous"],
        &[],
    ] {
        assert_eq!(bench.key("create", wrong).0, Exit::Usage, "{wrong:?}");
    }
    assert_eq!(bench.entries().len(), 1);
}

#[test]
fn a_revoked_key_stays_in_the_file_with_the_comments_and_the_mode() {
    let bench = Bench::new();
    bench.key("create", &["--id", "alice"]);
    bench.key("create", &["--id", "bob"]);
    std::fs::write(bench.path(), format!("# ours\n{}# the end\n", bench.text())).unwrap();
    std::fs::set_permissions(bench.path(), PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(bench.key("revoke", &["--id", "alice"]), (Exit::Done, "`alice` is revoked\n".into(), String::new()));
    assert!(bench.text().starts_with("# ours\n") && bench.text().ends_with("# the end\n"), "{}", bench.text());
    assert_eq!((bench.mode(), bench.names().len()), (0o640, 1));
    let revoked: Vec<bool> = bench.entries().iter().map(|entry| entry.revoked.is_some()).collect();
    assert_eq!(revoked, [true, false]);
    let (exit, out, _) = bench.key("revoke", &["--id", "alice"]);
    assert_eq!((exit, out.as_str()), (Exit::Done, "`alice` was revoked before\n"));
    let (exit, _, err) = bench.key("revoke", &["--id", "bbo"]);
    assert!(exit == Exit::Findings && err.contains("has no key `bbo`: did you mean `bob`?"), "{err}");
    assert!(bench.key("list", &[]).1.contains("alice  revoked"));
}

#[test]
fn the_target_of_a_symlink_is_changed_and_not_the_symlink() {
    let bench = Bench::new();
    let real = bench.folder.path().join("real/keys.yaml");
    std::fs::create_dir(real.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, bench.path()).unwrap();
    std::fs::write(&real, "version: 1\nkeys: {}\n").unwrap();
    assert_eq!(bench.key("create", &["--id", "alice"]).0, Exit::Done);
    assert!(std::fs::symlink_metadata(bench.path()).unwrap().is_symlink());
    assert!(std::fs::read_to_string(real).unwrap().contains("alice"));
}

#[test]
fn a_locked_or_broken_file_is_left_alone() {
    let bench = Bench::new();
    let (exit, _, err) = bench.key("revoke", &["--id", "alice"]);
    assert!(exit == Exit::Findings && err.contains("cannot be read"), "{err}");
    std::fs::write(bench.path(), "version: 1\nkeys:\n  alice: { secret: hunter2 }\n").unwrap();
    for (command, more) in [("create", &["--id", "bob"][..]), ("revoke", &["--id", "alice"]), ("list", &[])] {
        let (exit, out, err) = bench.key(command, more);
        assert_eq!((exit, out.as_str()), (Exit::Findings, ""), "{command}");
        assert!(err.contains("keys.yaml:3:12: error[unknown-key]") && err.contains("is no file of API keys"), "{err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
    std::fs::write(bench.folder.path().join(".keys.yaml.new"), "").unwrap();
    std::fs::write(bench.path(), "version: 1\nkeys: {}\n").unwrap();
    let (exit, _, err) = bench.key("create", &["--id", "bob"]);
    assert!(exit == Exit::Findings && err.contains("another process is changing"), "{err}");
    assert_eq!((bench.entries().len(), bench.names().len()), (0, 2));
}

#[test]
fn check_reads_the_files_of_keys_that_settings_name_without_quoting_them() {
    let bench = Bench::new();
    std::fs::write(bench.path(), "version: 1\nkeys:\n  alice: { secret: hunter2 }\n").unwrap();
    let policy = std::fs::canonicalize(crate::cli::tests::NOAH).unwrap();
    let settings = bench.folder.path().join("gateway.yaml");
    let text = format!(
        "version: 1\nlisteners: [{{ address: 127.0.0.1:0 }}]\napi-keys: {{ m: {{ file: keys.yaml, basic: true }} }}\n\
         apis: {{ noah: {{ policy: {}, upstream: {{ url: \"http://127.0.0.1:1\" }} }} }}\n",
        policy.display()
    );
    std::fs::write(&settings, text).unwrap();
    let config = ["check", "--config", settings.to_str().unwrap()];
    for format in ["text", "json"] {
        let (exit, out, err) = portcullis(&[&config[..], &["--format", format]].concat());
        assert_eq!(exit, Exit::Findings, "{err}");
        assert!(out.contains("keys.yaml") && out.contains("unknown-key") && !out.contains("hunter2"), "{out}");
    }
    std::fs::remove_file(bench.path()).unwrap();
    bench.key("create", &["--id", "alice"]);
    let (exit, out, _) = portcullis(&config);
    assert_eq!(exit, Exit::Done, "{out}");
}

#[test]
fn a_key_that_could_not_be_shown_is_a_failure() {
    let bench = Bench::new();
    let mut err = Vec::new();
    let args = ["portcullis", "key", "create", "--id", "alice", "--file", &bench.path()];
    let exit = crate::cli::run(args.into_iter().map(Into::into), &mut Closed, &mut err);
    assert_eq!(exit, Exit::Findings);
    assert!(String::from_utf8_lossy(&err).contains("revoke `alice`"));
}
