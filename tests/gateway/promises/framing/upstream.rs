//! Responses of the upstream: one response to one request, never the response to another request.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::wire::client::{Answer, Client, ask, find, request};
use crate::wire::origin::{Origin, ok, read_request};
use crate::wire::testbed::{Testbed, until};

/// A response without a request.
const STRAY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";

/// An origin that answers the target `/t1/things/odd` with these bytes, and every other target with its name.
fn origin_with_odd_answer(odd: &[u8]) -> Origin {
    let odd = odd.to_vec();
    Origin::with_responder(
        move |received| {
            if received.target() == "/t1/things/odd" { odd.clone() } else { ok(&received.target()) }
        },
    )
}

fn ask_for(testbed: &Testbed, token: &str, what: &str) -> Answer {
    ask(testbed.at(), request(&format!("GET /t1/things/{what}"), &[token], b""))
}

/// Requests the odd target and then others, each of which must get its own response.
fn request_odd(testbed: &Testbed, token: &str, line: &str) -> Option<Answer> {
    let mut client = Client::connect(testbed.at());
    client.send(request(line, &[token], b""));
    let answer = client.try_answer(line.starts_with("HEAD"));
    for next in ["a", "b", "c"] {
        assert_eq!(ask_for(testbed, token, next).text(), format!("/t1/things/{next}"), "behind {answer:?}");
    }
    answer
}

#[test]
fn a_response_without_a_request_reaches_no_client() {
    for odd in [
        [ok("odd"), STRAY.to_vec()].concat(),
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nodd\r\n0\r\n\r\n", STRAY].concat(),
        [b"HTTP/1.1 204 No Content\r\n\r\n", STRAY].concat(),
        [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 57\r\n\r\n", STRAY].concat(),
        [b"HTTP/1.1 204 No Content\r\nContent-Length: 57\r\n\r\n", STRAY].concat(),
        [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", STRAY].concat(),
        [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nodd", STRAY].concat(),
        [b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nodd\r\n0\r\n\r\n", STRAY]
            .concat(),
    ] {
        let testbed = Testbed::strict(origin_with_odd_answer(&odd)).start();
        let token = testbed.bearer(&["user"]);
        let shown = String::from_utf8_lossy(&odd).into_owned();
        let answer = request_odd(&testbed, &token, "GET /t1/things/odd").unwrap_or_else(|| panic!("{shown}"));
        assert!(matches!(answer.text().as_str(), "odd" | ""), "{shown}: {answer:?}");
        let head = request_odd(&testbed, &token, "HEAD /t1/things/odd").unwrap_or_else(|| panic!("{shown}"));
        assert!(matches!(head.status, 200 | 204 | 304), "{shown}: {head:?}");
    }
}

#[test]
fn a_late_response_without_a_request_reaches_no_client() {
    let strayed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&strayed);
    let origin = Origin::with_script(move |mut stream, journal| {
        let mut pending = Vec::new();
        while let Some(received) = read_request(&mut stream, &mut pending, journal) {
            if stream.write_all(&ok(&received.target())).is_err() {
                return;
            }
            if received.target() == "/t1/things/odd" {
                // Sent apart from the response, so that it arrives on an idle connection.
                std::thread::sleep(Duration::from_millis(50));
                stream.write_all(STRAY).ok();
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    for round in 1..=10 {
        assert_eq!(ask_for(&testbed, &token, "odd").text(), "/t1/things/odd");
        until("the stray answer has left", || strayed.load(Ordering::SeqCst) == round);
        for next in ["a", "b"] {
            assert_eq!(ask_for(&testbed, &token, next).text(), format!("/t1/things/{next}"));
        }
    }
}

#[test]
fn an_ambiguously_framed_response_is_forwarded_in_one_framing_or_not_at_all() {
    let chunks = "3\r\nodd\r\n0\r\n\r\n";
    for head in [
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3, 4",
        "Content-Length: +3",
        "Content-Length: -3",
        "Content-Length: 0x3",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: 3, 3",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length:\r\n 3",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \x0bchunked",
    ] {
        let body = if head.contains("chunked") { chunks } else { "odd" };
        let testbed = Testbed::strict(origin_with_odd_answer(
            format!("HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n{body}").as_bytes(),
        ))
        .start();
        let token = testbed.bearer(&["user"]);
        let mut client = Client::connect(testbed.at());
        client.send(request("GET /t1/things/odd", &[&token], b""));
        let Some(answer) = client.head() else { continue };
        let (lengths, codings) = (answer.all("content-length"), answer.all("transfer-encoding"));
        assert!(lengths.len() + codings.len() <= 1, "{head:?}: {answer:?}");
        assert!(lengths.iter().all(|length| length.parse::<u64>().is_ok()), "{head:?}: {answer:?}");
        assert!(codings.iter().all(|coding| coding.eq_ignore_ascii_case("chunked")), "{head:?}: {answer:?}");
        assert!(matches!(answer.status, 200 | 502), "{head:?}: {answer:?}");
        assert_eq!(ask_for(&testbed, &token, "a").text(), "/t1/things/a", "{head:?}");
    }
}

#[test]
fn a_response_with_invalid_chunks_is_cut() {
    for body in [
        "zz\r\nodd\r\n0\r\n\r\n",
        "-3\r\nodd\r\n0\r\n\r\n",
        "3\r\noddX\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nodd",
        "3\r\nod",
    ] {
        let odd = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{body}");
        let origin = Origin::with_script(move |mut stream, journal| {
            if read_request(&mut stream, &mut Vec::new(), journal).is_some() {
                stream.write_all(odd.as_bytes()).ok();
            }
        });
        let testbed = Testbed::strict(origin).start();
        let token = testbed.bearer(&["user"]);
        let mut client = Client::connect(testbed.at());
        client.send(request("GET /t1/things/odd", &[&token], b""));
        while client.more() {}
        let answer = client.taken();
        let whole = answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"0\r\n\r\n");
        assert!(!whole, "{body:?}: {}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn no_field_of_a_response_is_split_into_two() {
    for value in
        ["a\r\n Set-Cookie: x=1", "a\rSet-Cookie: x=1", "a\nSet-Cookie: x=1", "a\0b", "a\r\n\tb", "\x7f", "\u{a0}x"]
    {
        let odd = format!("HTTP/1.1 200 OK\r\nX-Odd: {value}\r\nContent-Length: 3\r\n\r\nodd");
        let testbed = Testbed::strict(origin_with_odd_answer(odd.as_bytes())).start();
        let token = testbed.bearer(&["user"]);
        let mut client = Client::connect(testbed.at());
        client.send(request("GET /t1/things/odd", &[&token, "Connection: close"], b""));
        while client.more() {}
        let bytes = client.taken();
        let head = &bytes[..find(&bytes, b"\r\n\r\n").unwrap()];
        let lines: Vec<&[u8]> = head.split(|&byte| byte == b'\n').collect();
        let text = String::from_utf8_lossy(head).into_owned();
        assert!(lines.iter().rev().skip(1).all(|line| line.ends_with(b"\r")), "{value:?}: {text:?}");
        assert!(lines.iter().all(|line| !line.starts_with(b" ") && !line.starts_with(b"\t")), "{value:?}: {text:?}");
        assert!(
            !head.contains(&0) && lines.iter().all(|line| line[..line.len() - 1].iter().all(|&byte| byte != b'\r')),
            "{text:?}"
        );
        // A bare line feed ends a line where the upstream writes one: two fields arrive as two, and no third one
        // appears.
        let cookies = lines.iter().filter(|line| line.to_ascii_lowercase().starts_with(b"set-cookie")).count();
        assert!(
            cookies == usize::from(value.contains('\n') && !value.contains("\r\n") && text.starts_with("HTTP/1.1 200")),
            "{value:?}: {text}"
        );
    }
}

#[test]
fn an_upstream_that_does_not_speak_http_is_502() {
    for odd in [
        "hello\r\n\r\n",
        "<html></html>",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/3.0 200 OK\r\n\r\n",
        "HTTP/1.1 99 Odd\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX y: z\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: z\r\n\r\n",
        "\0\0\x12\x04\0\0\0\0\0",
    ] {
        let odd = odd.to_owned();
        let shown = odd.clone();
        let origin = Origin::with_script(move |mut stream, journal| {
            if read_request(&mut stream, &mut Vec::new(), journal).is_some() {
                stream.write_all(odd.as_bytes()).ok();
            }
        });
        let testbed = Testbed::strict(origin).start();
        let token = testbed.bearer(&["user"]);
        let answer = ask_for(&testbed, &token, "odd");
        assert_eq!((answer.status, answer.reason().as_str()), (502, "upstream-broken"), "{shown:?}");
    }
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(3 << 20));
    let testbed = Testbed::strict(origin_with_odd_answer(huge.as_bytes())).start();
    assert_eq!(ask_for(&testbed, &testbed.bearer(&["user"]), "odd").status, 502);
}

#[test]
fn interim_answers_come_before_the_one_answer_and_change_nothing() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    for (interim, count) in [
        ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), 1),
        (early.to_owned(), 1),
        (format!("{early}{early}HTTP/1.1 102 Processing\r\n\r\n"), 3),
        ("HTTP/1.1 103 Early Hints\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 1),
    ] {
        let testbed = Testbed::strict(origin_with_odd_answer(&[interim.as_bytes(), &ok("odd")].concat())).start();
        let token = testbed.bearer(&["user"]);
        let mut client = Client::connect(testbed.at());
        for _ in 0..3 {
            client.send(request("POST /t1/things", &[&token], b"hello"));
            assert_eq!(client.answer().text(), "/t1/things");
            client.send(request("GET /t1/things/odd", &[&token], b""));
            let mut heads = 0;
            let answer = loop {
                let head = client.head().unwrap();
                if head.status >= 200 {
                    break head;
                }
                heads += 1;
                assert!(head.all("content-length").is_empty(), "{head:?}");
            };
            assert!(heads <= count, "{interim:?}");
            assert_eq!((answer.status, client.exactly(3)), (200, b"odd".to_vec()), "{interim:?}");
        }
    }
}

#[test]
fn a_101_without_a_decided_upgrade_is_not_forwarded() {
    let switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n";
    let upgrades: [&[&str]; 4] = [
        &[],
        &["Connection: Upgrade", "Upgrade: h2c"],
        &["Connection: Upgrade", "Upgrade: odd"],
        &["Upgrade: websocket2"],
    ];
    for upgrade in upgrades {
        let testbed = Testbed::strict(origin_with_odd_answer(&[switching, STRAY].concat())).start();
        let token = testbed.bearer(&["user", "insider"]);
        let mut headers = vec![token.as_str()];
        headers.extend(upgrade);
        let mut client = Client::connect(testbed.at());
        client
            .send([request("GET /t1/things/odd", &headers, b""), request("GET /t1/Secrets/marker", &[], b"")].concat());
        let answer = client.answer();
        assert_eq!((answer.status, answer.reason().as_str()), (502, "upstream-broken"), "{upgrade:?}");
        while client.more() {}
        assert!(client.taken().is_empty(), "{upgrade:?}");
        assert_eq!(ask_for(&testbed, &token, "a").text(), "/t1/things/a", "{upgrade:?}");
        assert!(
            testbed.origin.requests().iter().all(|received| find(&received.head, b"marker").is_none()),
            "{upgrade:?}"
        );
    }
}

#[test]
fn bytes_after_a_handshake_without_a_101_are_a_request() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let handshake = [
        token.as_str(),
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut client = Client::connect(testbed.at());
    client.send([request("GET /socket", &handshake, b""), request("GET /t1/Secrets/marker", &[&token], b"")].concat());
    assert_eq!(client.answer().status, 200);
    // If a client assumes the upgrade, its bytes still get a decision like any request.
    assert!(client.try_answer(false).is_none_or(|answer| answer.status == 403));
    assert_eq!(testbed.origin.count(), 1);
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let headers = [&handshake[..], &[framing]].concat();
        let answer = ask(testbed.at(), request("GET /socket", &headers, b"0\r\n\r\n"));
        assert_eq!(answer.status, 400, "{framing}");
    }
    assert_eq!(testbed.origin.count(), 1);
}
