//! Tests of `secret_reader`: secrets come from files and the environment and are never printed.

use std::os::unix::fs::PermissionsExt;

use crate::document::{Findings, Sources, parse, report};
use crate::settings::reader::SettingsReader;
use crate::settings::secret::{ProcessSecrets, Secret, Secrets};
use crate::settings::tests::Fake;

fn read(written: &str, secrets: &dyn Secrets, folder: &std::path::Path) -> (Option<Secret>, String) {
    let mut sources = Sources::default();
    let file = sources.add("s", written);
    let mut findings = Findings::default();
    let node = parse(&sources, file, &mut findings).unwrap();
    let secret = SettingsReader::new(folder, secrets, &mut findings).secret(&node, "`token`");
    let lines: Vec<String> = findings.sorted().into_iter().map(|finding| report::line(finding, &sources)).collect();
    (secret, lines.join("\n"))
}

#[test]
fn a_secret_is_read_and_one_line_end_is_trimmed() {
    let table: [(&str, Result<&[u8], &str>); 14] = [
        ("{ env: TOKEN }", Ok(b"sesame")),
        ("{ env: LINE }", Ok(b"sesame")),
        ("{ env: DOS }", Ok(b"sesame")),
        ("{ env: LINES }", Ok(b"sesame\n")),
        ("{ file: token }", Ok(b"from a file")),
        ("{ env: EMPTY }", Err("[empty-value]: the secret of `token` is empty")),
        ("{ env: NEWLINE }", Err("[empty-value]: the secret of `token` is empty")),
        ("{ env: NOBODY }", Err("[unreadable]: `token` is read from the environment variable `NOBODY`, which is not")),
        ("{ env: A-B }", Err("[bad-value]: `A-B` is no name")),
        ("{ file: missing }", Err("[unreadable]: `token` cannot be read from")),
        ("{ file: token, env: TOKEN }", Err("[bad-value]: `token` needs exactly one")),
        ("{}", Err("[bad-value]: `token` needs exactly one")),
        ("{ file: token, evn: TOKEN }", Err("did you mean `env`?")),
        ("[TOKEN]", Err("[wrong-sort]")),
    ];
    for (written, expected) in table {
        let (secret, lines) = read(written, &Fake::default(), std::path::Path::new("/settings"));
        match expected {
            Ok(bytes) => assert_eq!(secret.as_ref().map(Secret::expose), Some(bytes), "{written}: {lines}"),
            Err(part) => assert!(lines.contains(part), "{written}: {lines}"),
        }
    }
}

#[test]
fn a_secret_that_stands_in_the_settings_is_refused_and_not_repeated() {
    for written in ["hunter2hunter2", "\"hunter2hunter2\""] {
        let (secret, lines) = read(written, &Fake::default(), std::path::Path::new(""));
        assert!(secret.is_none());
        assert!(
            lines.contains("1:1: error[wrong-sort]: `token` is a secret, which is never written in this file"),
            "{lines}"
        );
        assert!(!lines.contains("hunter2"), "{lines}");
    }
}

#[test]
fn debug_shows_nothing_of_a_secret() {
    assert_eq!(format!("{:?}", Secret::new(*b"hunter2")), "Secret");
    assert_eq!(Secret::new(*b"hunter2"), Secret::new(*b"hunter2"));
    assert_ne!(Secret::new(*b"hunter2"), Secret::new(*b"hunter3"));
}

#[test]
fn a_file_that_others_may_read_is_noted_and_one_of_its_owner_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "sesame\n").unwrap();
    for (mode, noted) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let (secret, lines) = read("{ file: token }", &ProcessSecrets, folder.path());
        assert_eq!(secret, Some(Secret::new(*b"sesame")));
        assert_eq!(lines.contains("note[bad-value]: "), noted, "{mode:o}: {lines}");
    }
}

#[test]
fn a_file_that_is_no_secret_is_not_read_whole() {
    let (secret, lines) = read("{ file: /dev/zero }", &ProcessSecrets, std::path::Path::new(""));
    assert!(secret.is_none());
    assert!(lines.contains("larger than any secret"), "{lines}");
}
