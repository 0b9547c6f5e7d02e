//! Tests of `decide`: input lines and output lines.

use std::cell::RefCell;
use std::io::{BufReader, Read, Write};
use std::rc::Rc;

use super::{EXAMPLE, MAX_LINE, replay};
use crate::cli::Exit;
use crate::cli::policy_file::load_policy;
use crate::cli::tests::NOAH;

fn decide(requests: &str) -> (Exit, String, String) {
    let (policy, _) = load_policy(NOAH.as_ref()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = replay(&policy, BufReader::new(requests.as_bytes()), &mut out, &mut err).unwrap();
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn each_request_has_one_answer_with_its_id() {
    let requests = r#"
{"id":1,"as":{"client":"app-1","tenant":"t1","roles":["Level 2"]},"method":"GET","path":"/t1/api/Patients/p1"}
{"id":"two","as":{"client":"app-9","tenant":"t1","roles":["Level 2"]},"method":"GET","path":"/t1/api/Patients/p1"}

{"id":{"n":3},"as":null,"method":"GET","path":"/t1/api/Patients/p1"}
{"method":"GET","path":"/t1/api/../Patients"}
{"id":5,"as":{"kind":"service","tenant":"t1"},"method":"DELETE","path":"/t1/api/Patients/p1?x=1"}
{"id":6,"as":{"tenant":"t1"},"method":"GET","path":"/t1/api/Sett\u0069ngs"}
{"id":7,"as":{"tenant":"t2"},"method":"GET","path":"/t1/api/Settings"}"#;
    let answers = r#"{"id":1,"decision":"permit","reason":"granted","resource":"Patients","operation":"read"}
{"id":"two","decision":"refuse","reason":"gate:app-connection","resource":"Patients","operation":"read"}
{"id":{"n":3},"decision":"refuse","reason":"unauthenticated","resource":null,"operation":null}
{"id":null,"decision":"refuse","reason":"bad-request","resource":null,"operation":null}
{"id":5,"decision":"permit","reason":"service-app","resource":"Patients","operation":"delete"}
{"id":6,"decision":"refuse","reason":"not-granted","resource":"Settings","operation":"read"}
{"id":7,"decision":"refuse","reason":"not-a-member","resource":"Settings","operation":"read"}
"#;
    assert_eq!(decide(requests), (Exit::Done, answers.to_owned(), String::new()));
}

#[test]
fn the_example_of_the_help_is_true() {
    let mut lines = EXAMPLE.lines().filter(|line| line.starts_with("  {")).map(str::trim);
    let (request, answer) = (lines.next().unwrap(), lines.next().unwrap());
    assert_eq!(decide(request), (Exit::Done, format!("{answer}\n"), String::new()));
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_the_others_go_on() {
    let fine = r#"{"id":1,"method":"GET","path":"/"}"#;
    let long = format!(r#"{{"id":"{}","method":"GET","path":"/"}}"#, "x".repeat(usize::try_from(MAX_LINE).unwrap()));
    let table = [
        (r#"{"id":1,"methd":"GET","path":"/"}"#, "unknown field `methd`"),
        (r#"{"id":1,"method":"GET"}"#, "missing field `path`"),
        (r#"{"id":1,"method":"GET","path":"/","as":{"knd":"user"}}"#, "unknown field `knd`"),
        (r#"{"id":1,"method":"GET","path":"/","as":["user","u1"]}"#, "expected a caller"),
        (r#"[1,null,"GET","/"]"#, "a request is an object"),
        (r#"{"id":1,"method":"GET","path":"/"} {}"#, "trailing characters at column"),
        (r#"{"method":"GET","method":"PUT","path":"/"}"#, "duplicate field `method`"),
        ("rubbish", "a request is an object"),
        (&long, "the line is longer than 1048576 bytes"),
    ];
    for (line, expected) in table {
        let (exit, out, err) = decide(&format!("{fine}\n\n{line}\n{fine}\n"));
        let shown: String = line.chars().take(80).collect();
        assert_eq!(exit, Exit::Findings, "{shown}");
        let answers: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), 3, "{shown}: {out}");
        assert_eq!(answers[1]["line"], 3, "{shown}");
        assert!(answers[1]["error"].as_str().unwrap().contains(expected), "{shown}: {out}");
        assert_eq!(answers[0], answers[2]);
        assert_eq!(answers[2]["reason"], "unauthenticated");
        assert!(err.starts_with("line 3: ") && err.contains(expected), "{shown}: {err}");
    }
}

#[test]
fn bytes_that_are_no_text_are_an_unreadable_line() {
    let (policy, _) = load_policy(NOAH.as_ref()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let requests: &[u8] = b"{\"method\":\"GET\",\"path\":\"/\xff\"}\n";
    let exit = replay(&policy, BufReader::new(requests), &mut out, &mut err).unwrap();
    assert_eq!(exit, Exit::Findings);
    assert!(out.starts_with(b"{\"line\":1,\"error\":"), "{}", String::from_utf8_lossy(&out));
}

/// Shared: an output that another part of the test can read.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Dialogue: sends the next request only after every earlier request has been decided.
struct Dialogue {
    sent: usize,
    answers: Shared,
}

impl Read for Dialogue {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let answered = self.answers.0.borrow().iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(answered, self.sent, "a request waits for the decision on the one before");
        if self.sent == 3 {
            return Ok(0);
        }
        self.sent += 1;
        let line = b"{\"method\":\"GET\",\"path\":\"/\"}\n";
        buffer[..line.len()].copy_from_slice(line);
        Ok(line.len())
    }
}

#[test]
fn decisions_are_printed_while_requests_arrive() {
    let (policy, _) = load_policy(NOAH.as_ref()).unwrap();
    let mut answers = Shared::default();
    let requests = Dialogue { sent: 0, answers: answers.clone() };
    let exit = replay(&policy, BufReader::new(requests), &mut answers, &mut Vec::new()).unwrap();
    assert_eq!(exit, Exit::Done);
    assert_eq!(answers.0.borrow().iter().filter(|byte| **byte == b'\n').count(), 3);
}
