//! Method overrides under names that no list contains: built from the ways in which servers fold, decode and ignore
//! bytes.

use serde_json::json;

use crate::wire::client::{ask, find, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

const NAMES: [&str; 4] = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-HTTP-Method-Overrides"];

/// All ways to write a name's separators as `-`, `_` or `.`, each in three ways to write its letters.
fn aliases(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('-').collect();
    let count = 3_usize.pow(u32::try_from(parts.len() - 1).unwrap());
    let spelt = (0..count).map(|which| {
        let mut which = which;
        let mut out = parts[0].to_owned();
        for part in &parts[1..] {
            out.push(['-', '_', '.'][which % 3]);
            out.push_str(part);
            which /= 3;
        }
        out
    });
    let turned = |name: &str| {
        name.chars()
            .enumerate()
            .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() })
            .collect()
    };
    spelt
        .enumerate()
        .map(|(at, name)| [name.to_lowercase(), name.to_uppercase(), turned(&name)][at % 3].clone())
        .collect()
}

/// `_method` with any subset of its letters encoded, one bit per letter.
fn encoded(which: usize) -> String {
    let byte = |(at, byte): (usize, u8)| match which >> at & 1 {
        0 => char::from(byte).to_string(),
        _ if at % 2 == 0 => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    "_method".bytes().enumerate().map(byte).collect()
}

#[test]
fn an_override_is_one_under_every_name_that_some_server_folds_to_it() {
    for (how, status, arrives) in [("reject", 400, false), ("strip", 200, false), ("evaluate", 403, true)] {
        let testbed = Testbed::strict(Origin::start()).with("api/method-overrides", json!(how)).start();
        let (user, remover) = (testbed.bearer(&["user"]), testbed.bearer(&["user", "remover"]));
        for alias in NAMES.iter().flat_map(|name| aliases(name)) {
            for lines in [vec![format!("{alias}: DELETE")], vec![format!("{alias}: GET"), format!("{alias}: delete")]] {
                let headers: Vec<&str> =
                    std::iter::once(user.as_str()).chain(lines.iter().map(String::as_str)).collect();
                let answer = ask(testbed.at(), request("GET /t1/things/a", &headers, b""));
                assert_eq!(answer.status, status, "{how} {lines:?}");
            }
            let list = format!("{alias}: GET, DELETE");
            let answer = ask(testbed.at(), request("GET /t1/things/a", &[&user, &list], b""));
            assert_ne!((how, answer.status), ("evaluate", 200), "{list}");
            if arrives {
                let line = format!("{alias}: DELETE");
                assert_eq!(
                    ask(testbed.at(), request("GET /t1/things/a", &[&remover, &line], b"")).status,
                    200,
                    "{line}"
                );
            }
        }
        for received in testbed.origin.requests() {
            assert_eq!(
                find(&received.head.to_ascii_lowercase(), b"delete").is_some(),
                arrives,
                "{how}: {}",
                received.text()
            );
        }
    }
}

#[test]
fn an_override_in_the_query_is_one_with_any_of_its_letters_encoded() {
    for (how, status) in [("reject", 400), ("strip", 200), ("evaluate", 403)] {
        let testbed = Testbed::strict(Origin::start()).with("api/method-overrides", json!(how)).start();
        let user = testbed.bearer(&["user"]);
        for name in
            (0..128).map(encoded).chain(["_method%00".to_owned(), "_method%00x".to_owned(), "%5B_method%5D".to_owned()])
        {
            let target = format!("GET /t1/things/a?x=1&{name}=DELETE");
            assert_eq!(ask(testbed.at(), request(&target, &[&user], b"")).status, status, "{how} {target}");
        }
        assert!(testbed.origin.requests().iter().all(|received| received.target() == "/t1/things/a?x=1"), "{how}");
    }
}

#[test]
fn an_override_in_a_form_is_one_wherever_the_pieces_end() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    let body = b"a=1&%5Fmethod=DELETE&b=2";
    for cut in 1..body.len() {
        let (first, rest) = body.split_at(cut);
        let mut chunks = format!("{:x}\r\n", first.len()).into_bytes();
        chunks.extend([first, format!("\r\n{:x}\r\n", rest.len()).as_bytes(), rest, b"\r\n0\r\n\r\n"].concat());
        for kind in [
            "Content-Type: application/x-www-form-urlencoded",
            "Content-Type: application/x-www-form-urlencoded x",
            "Content-Type: text/urlencoded, text/plain",
        ] {
            let answer =
                ask(testbed.at(), request("POST /t1/things", &[&token, kind, "Transfer-Encoding: chunked"], &chunks));
            assert_eq!(answer.status, 400, "{kind}, cut at {cut}");
        }
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_part_is_an_override_however_a_reader_finds_its_name() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for kind in ["multipart/form-data", "multipart/mixed", "multipart/related", "Multipart/Form-Data x", "multipart/x"]
    {
        for head in [
            "form-data; name=\"_method\"",
            "form-data; name*=utf-8''%5Fmethod",
            "form-data; name*0=\"_me\"; name*1=\"thod\"",
            "form-data;\r\n name=\"_method\"",
            "form-data; name=\"_method",
            "form-data; name=\"=?utf-8?b?X21ldGhvZA==?=\"",
            "form-data; x='; name=_method",
            "form-data; filename=\"a\"; name = \"[_method]\"",
        ] {
            let inner = format!("--e\r\nContent-Disposition: {head}\r\n\r\nDELETE\r\n--e--\r\n");
            for body in [
                inner.clone(),
                format!("preamble\r\n{inner}"),
                format!("--o\r\nContent-Type: multipart/mixed; boundary=e\r\n\r\n{inner}\r\n--o--\r\n"),
            ] {
                let kind = format!("Content-Type: {kind}; boundary=e");
                let answer = ask(testbed.at(), request("POST /t1/things", &[&token, &kind], body.as_bytes()));
                assert_eq!(answer.status, 400, "{kind} {head}");
            }
        }
    }
    assert!(testbed.origin.requests().iter().all(|received| find(&received.body, b"DELETE").is_none()));
}
