//! Tests of the commands: output, error output and exit code.

use super::{Exit, run};

/// Runs a command line and returns its exit code, output and error output.
pub(super) fn portcullis(args: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = std::iter::once("portcullis").chain(args.iter().copied()).map(Into::into);
    let exit = run(args, &mut out, &mut err);
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Creates a file with `text` in a temporary folder, which is deleted when it is dropped.
pub(super) fn file(name: &str, text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

pub(super) const NOAH: &str = "policies/noah-es.yaml";

#[test]
fn every_command_ends_with_the_code_that_the_page_promises() {
    let (_folder, broken) = file("broken.yaml", "version: 1\nrolles: {}\n");
    let (_other, requests) = file("requests.jsonl", "{\"method\":\"GET\",\"path\":\"/\"}\nno\n");
    let member = r#"{"client":"app-1","tenant":"t1","roles":["Level 2"]}"#;
    let table: &[(Exit, &[&str])] = &[
        (Exit::Done, &["--help"]),
        (Exit::Done, &["--version"]),
        (Exit::Done, &["check", "--help"]),
        (Exit::Usage, &[]),
        (Exit::Usage, &["chekc"]),
        (Exit::Usage, &["check"]),
        (Exit::Usage, &["check", NOAH, "--config", "gateway.yaml"]),
        (Exit::Usage, &["check", NOAH, "--format", "xml"]),
        (Exit::Done, &["check", NOAH]),
        (Exit::Done, &["check", NOAH, "policies/orthanc.yaml"]),
        (Exit::Findings, &["check", NOAH, &broken]),
        (Exit::Findings, &["check", "no-such-file.yaml"]),
        (Exit::Findings, &["check", "--config", "no-such-file.yaml"]),
        (Exit::Usage, &["matrix"]),
        (Exit::Usage, &["matrix", NOAH, "--table", "Nowhere"]),
        (Exit::Findings, &["matrix", &broken]),
        (Exit::Done, &["matrix", NOAH]),
        (Exit::Usage, &["explain", NOAH, "GET"]),
        (Exit::Usage, &["explain", NOAH, "--as", "{", "GET", "/"]),
        (Exit::Usage, &["explain", NOAH, "--as", "@no-such-file.json", "GET", "/"]),
        (Exit::Findings, &["explain", &broken, "GET", "/"]),
        (Exit::Done, &["explain", NOAH, "--as", member, "GET", "/t1/api/Patients/p1"]),
        (Exit::Refused, &["explain", NOAH, "--as", member, "DELETE", "/t1/api/Patients/p1"]),
        (Exit::Refused, &["explain", NOAH, "--as", member, "DELETE", "/t1/api/Patients/p1", "--format", "json"]),
        (Exit::Refused, &["explain", NOAH, "GET", ""]),
        (Exit::Usage, &["who-can", NOAH, "GET"]),
        (Exit::Findings, &["who-can", &broken, "GET", "/"]),
        (Exit::Done, &["who-can", NOAH, "GET", "/t1/api/Patients/p1"]),
        (Exit::Refused, &["who-can", NOAH, "GET", "/"]),
        (Exit::Done, &["matrix", NOAH, "--role", "BDM"]),
        (Exit::Usage, &["matrix", NOAH, "--role", "BDM", "--as", member]),
        (Exit::Usage, &["decide", NOAH]),
        (Exit::Findings, &["decide", NOAH, "--requests", "no-such-file.jsonl"]),
        (Exit::Findings, &["decide", NOAH, "--requests", &requests]),
        (Exit::Findings, &["decide", &broken, "--requests", &requests]),
        (Exit::Usage, &["completions", "cmd.exe"]),
        (Exit::Usage, &["serve"]),
        (Exit::Findings, &["serve", "--config", "no-such-file.yaml"]),
    ];
    for (expected, args) in table {
        let (exit, out, err) = portcullis(args);
        assert_eq!(exit, *expected, "{args:?}\n{out}\n{err}");
        let silent = matches!(expected, Exit::Usage) && !out.is_empty();
        assert!(!silent, "{args:?}: wrong usage belongs on the error stream\n{out}");
        assert!(!(out.is_empty() && err.is_empty()), "{args:?} says nothing");
    }
    assert_eq!([Exit::Done, Exit::Findings, Exit::Usage, Exit::Refused].map(Exit::code), [0, 1, 2, 3]);
}

#[test]
fn every_command_has_an_example() {
    use clap::CommandFactory;
    let names: Vec<String> =
        super::Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let (_, help, _) = portcullis(&[&name, "--help"]);
        let example = help.split_once("Example:").map(|(_, rest)| rest.trim_start().to_owned());
        assert!(example.is_some_and(|text| text.starts_with(&format!("portcullis {name}"))), "{help}");
    }
}

#[test]
fn completions_know_every_command_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (exit, script, err) = portcullis(&["completions", shell]);
        assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{shell}");
        for command in ["check", "explain", "who-can", "matrix", "decide", "completions", "serve"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

/// Closed: a pipe whose reader has closed it.
pub(super) struct Closed;

impl std::io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_changes_neither_the_code_nor_the_error_stream() {
    let (_folder, requests) = file("requests.jsonl", "{\"method\":\"GET\",\"path\":\"/\"}\n");
    let table: &[(Exit, &[&str])] = &[
        (Exit::Done, &["check", NOAH]),
        (Exit::Refused, &["explain", NOAH, "GET", "/"]),
        (Exit::Done, &["decide", NOAH, "--requests", &requests]),
        (Exit::Done, &["completions", "bash"]),
    ];
    for (expected, args) in table {
        let mut err = Vec::new();
        let args = std::iter::once("portcullis").chain(args.iter().copied()).map(Into::into);
        assert_eq!(run(args, &mut Closed, &mut err), *expected);
        assert_eq!(String::from_utf8_lossy(&err), "");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_a_failure() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut err = Vec::new();
    let exit = run(["portcullis", "check", NOAH].into_iter().map(Into::into), &mut Full, &mut err);
    assert_eq!(exit, Exit::Findings);
    assert!(String::from_utf8_lossy(&err).starts_with("the output cannot be written: "));
}
