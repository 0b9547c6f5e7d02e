//! One operation: a request that asks its server for another method is refused, cleaned, or decided for both methods.

mod spellings;

use serde_json::json;

use crate::wire::client::{Answer, Client, ask, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

/// Header fields that frameworks read as the method.
const HEADERS: [&str; 8] = [
    "X-HTTP-Method-Override",
    "x-http-method-override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X_HTTP_Method_Override",
    "X.Http.Method.Override",
    "X-Http_Method",
    "X-METHOD_OVERRIDE",
];

/// Query parameters that frameworks read as the method.
const PARAMETERS: [&str; 9] = [
    "_method",
    "%5fmethod",
    "_%6Dethod",
    "_METHOD",
    "%5F%6d%65%74%68%6f%64",
    ".method",
    "+_method",
    "_method[]",
    "X-HTTP-Method-Override",
];

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
fn by_default_an_override_in_a_header_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for name in HEADERS {
        for value in ["DELETE", "delete", "GET", ""] {
            let answer = ask(testbed.at(), request("GET /t1/things/a", &[&token, &format!("{name}: {value}")], b""));
            assert_eq!((answer.status, answer.reason().as_str()), (400, "bad-request"), "{name}: {value}");
        }
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn by_default_an_override_in_the_query_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for name in PARAMETERS {
        for query in
            [format!("{name}=DELETE"), format!("a=1&{name}=delete"), format!("a=1;{name}=delete"), name.to_owned()]
        {
            let answer = ask(testbed.at(), request(&format!("GET /t1/things/a?{query}"), &[&token], b""));
            assert_eq!(answer.status, 400, "{query}");
        }
    }
    assert_eq!(testbed.origin.count(), 0);
    for harmless in ["method=DELETE", "a=_method", "_methods=1", "x_method=1"] {
        let answer = ask(testbed.at(), request(&format!("GET /t1/things/a?{harmless}"), &[&token], b""));
        assert_eq!(answer.status, 200, "{harmless}");
    }
}

#[test]
fn by_default_an_override_in_a_form_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for body in ["_method=DELETE", "a=1&_method=delete", "a=1&%5fmethod=delete", "_METHOD=PUT&b=2", "a=1&.method=PUT"] {
        for kind in [
            FORM,
            "Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8",
            "content-type:application/x-www-form-urlencoded",
        ] {
            let answer = ask(testbed.at(), request("POST /t1/things", &[&token, kind], body.as_bytes()));
            assert_eq!(answer.status, 400, "{kind} {body}: {}", answer.text());
        }
    }
    let chunked = b"7\r\na=1&_me\r\n8\r\nthod=PUT\r\n0\r\n\r\n";
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM, "Transfer-Encoding: chunked"], chunked));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_form_without_an_override_arrives_whole() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for body in ["", "a=1&b=2", "method=DELETE", &"a=bcdefgh&".repeat(6000)] {
        let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM], body.as_bytes()));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(String::from_utf8(testbed.origin.last().body).unwrap(), body);
    }
    let chunked = b"4\r\na=1&\r\n3\r\nb=2\r\n0\r\n\r\n";
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM, "Transfer-Encoding: chunked"], chunked));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(testbed.origin.last().body, b"a=1&b=2");
}

#[test]
fn a_form_that_is_longer_than_the_gateway_looks_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let long = format!("a={}&_method=DELETE", "x".repeat(64 * 1024));
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM], long.as_bytes()));
    assert_eq!(answer.status, 413);
    let mut chunked = Vec::new();
    for piece in long.as_bytes().chunks(10_000) {
        chunked.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        chunked.extend(piece);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM, "Transfer-Encoding: chunked"], &chunked));
    assert_eq!(answer.status, 413);
    assert_eq!(testbed.origin.count(), 0);
    let longest = format!("a={}", "x".repeat(64 * 1024 - 2));
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM], longest.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(testbed.origin.last().body.len(), 64 * 1024);
}

#[test]
fn a_form_with_expect_is_asked_for_before_it_is_judged() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    client.send(request("POST /t1/things", &[&token, FORM, "Expect: 100-continue", "Content-Length: 3"], b""));
    assert_eq!(client.head().map(|head| head.status), Some(100));
    assert_eq!(client.send(b"a=1").answer().status, 200);
    assert_eq!(testbed.origin.last().body, b"a=1");
    let mut client = Client::connect(testbed.at());
    client.send(request("POST /t1/things", &[&token, FORM, "Expect: 100-continue", "Content-Length: 11"], b""));
    assert_eq!(client.head().map(|head| head.status), Some(100));
    assert_eq!(client.send(b"_method=PUT").answer().status, 400);
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn a_multipart_form_with_an_override_is_cut_where_it_appears() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for name in [
        "name=\"_method\"",
        "name=_method",
        "NAME=\"_METHOD\"",
        "name='_method'",
        "name=\"_method[]\"",
        "name=\" _method\"",
        "name=\".method\"",
    ] {
        for before in [0, 10_000, 300_000] {
            let body = multipart(name, before);
            let answer = ask(testbed.at(), request("POST /t1/things", &[&token, MULTIPART], &body));
            assert_eq!(answer.status, 400, "{name} behind {before} bytes: {}", answer.text());
        }
    }
    // The body that arrived is incomplete: no server acts on an unfinished form.
    for received in testbed.origin.requests() {
        assert!(!String::from_utf8_lossy(&received.body).contains("DELETE"));
    }
}

#[test]
fn a_multipart_form_split_inside_the_name_is_cut_too() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let body = multipart("name=\"_method\"", 100);
    let at = crate::wire::client::find(&body, b"_method").unwrap();
    for cut in at..at + 7 {
        let mut client = Client::connect(testbed.at());
        client.send(request("POST /t1/things", &[&token, MULTIPART, &format!("Content-Length: {}", body.len())], b""));
        client.send(&body[..cut]);
        std::thread::sleep(std::time::Duration::from_millis(30));
        client.send(&body[cut..]);
        assert_eq!(client.answer().status, 400, "cut at {cut}");
    }
}

#[test]
fn a_multipart_form_without_an_override_arrives_whole() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let body = multipart("name=\"file\"", 300_000);
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, MULTIPART], &body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(testbed.origin.last().body, body);
}

#[test]
fn bodies_that_are_no_forms_pass_unread() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for kind in ["Content-Type: application/json", "Content-Type: text/plain"] {
        let answer = ask(testbed.at(), request("POST /t1/things", &[&token, kind], b"_method=DELETE"));
        assert_eq!(answer.status, 200, "{kind}");
        assert_eq!(testbed.origin.last().body, b"_method=DELETE");
    }
    // A form can override only POST.
    let answer = ask(testbed.at(), request("PUT /t1/things/a", &[&token, FORM], b"_method=DELETE"));
    assert_eq!(answer.status, 200);
    // ASP.NET does not look for the method in a form unless the application names a field.
    let noah = Testbed::noah(Origin::start()).start();
    let token = noah.bearer(&["Level 2"]);
    let answer = ask(noah.at(), request("POST /t1/api/Patients", &[&token, FORM], b"_method=DELETE"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn strip_takes_the_override_out_and_lets_the_method_count() {
    let testbed = Testbed::strict(Origin::start()).with("api/method-overrides", json!("strip")).start();
    let token = testbed.bearer(&["user"]);
    for name in HEADERS {
        let answer = ask(testbed.at(), request("GET /t1/things/a", &[&token, &format!("{name}: DELETE")], b""));
        assert_eq!(answer.status, 200, "{name}");
        assert!(!testbed.origin.last().text().contains("DELETE"), "{name}");
    }
    for name in PARAMETERS {
        let target = format!("/t1/things/a?x=1&{name}=DELETE&y=2");
        let answer = ask(testbed.at(), request(&format!("GET {target}"), &[&token], b""));
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(testbed.origin.last().target(), "/t1/things/a?x=1&y=2", "{name}");
    }
    let answer = ask(testbed.at(), request("GET /t1/things/a?_method=DELETE", &[&token], b""));
    assert_eq!(answer.status, 200);
    assert_eq!(testbed.origin.last().target(), "/t1/things/a");
    // A body is not rewritten.
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM], b"_method=DELETE"));
    assert_eq!(answer.status, 400);
}

#[test]
fn evaluate_wants_both_operations_permitted() {
    let testbed = Testbed::strict(Origin::start()).with("api/method-overrides", json!("evaluate")).start();
    let (user, remover) = (testbed.bearer(&["user"]), testbed.bearer(&["user", "remover"]));
    let mut permitted = 0;
    for name in HEADERS {
        for value in ["DELETE", "delete", " Delete "] {
            let line = format!("{name}: {value}");
            assert_eq!(ask(testbed.at(), request("GET /t1/things/a", &[&user, &line], b"")).status, 403, "{line}");
        }
    }
    for name in PARAMETERS {
        for value in ["DELETE", "delete", "%44ELETE"] {
            let target = format!("GET /t1/things/a?{name}={value}");
            assert_eq!(ask(testbed.at(), request(&target, &[&user], b"")).status, 403, "{target}");
            let answer = ask(testbed.at(), request(&target, &[&remover], b""));
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            permitted += 1;
        }
    }
    assert_eq!(testbed.origin.count(), permitted);
    let both = |answer: Answer| (answer.status, answer.reason());
    let answer = ask(testbed.at(), request("GET /t1/things/a?_method=PURGE", &[&remover], b""));
    assert_eq!(both(answer), (405, "no-method".to_owned()), "a method that the route does not list");
    // The first field could hide the second, or the other way round: both count.
    let twice = ["X-HTTP-Method-Override: GET", "X-HTTP-Method-Override: DELETE"];
    assert_eq!(ask(testbed.at(), request("GET /t1/things/a", &[&user, twice[0], twice[1]], b"")).status, 403);
    assert_eq!(ask(testbed.at(), request("GET /t1/things/a?_method=GET&_method=DELETE", &[&user], b"")).status, 403);
    // Only requests whose own method is not permitted are refused: the override cannot add a permission.
    assert_eq!(ask(testbed.at(), request("DELETE /t1/things/a?_method=GET", &[&user], b"")).status, 403);
}

#[test]
fn evaluate_judges_forms_as_well() {
    let testbed = Testbed::strict(Origin::start()).with("api/method-overrides", json!("evaluate")).start();
    let user = testbed.bearer(&["user"]);
    let refused = ask(testbed.at(), request("POST /t1/things", &[&user, FORM], b"a=1&_method=DELETE"));
    assert_eq!(refused.status, 405, "there is no DELETE of a collection");
    assert_eq!(testbed.origin.count(), 0);
    let permitted = ask(testbed.at(), request("POST /t1/things", &[&user, FORM], b"a=1&_method=GET"));
    assert_eq!(permitted.status, 200, "{}", permitted.text());
    assert_eq!(testbed.origin.last().body, b"a=1&_method=GET");
}

#[test]
fn a_body_that_claims_to_be_two_things_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for kinds in [[MULTIPART, FORM], [FORM, MULTIPART], [MULTIPART, "Content-Type: application/json"], [FORM, FORM]] {
        for body in [multipart("name=\"_method\"", 0), b"_method=DELETE".to_vec()] {
            let answer = ask(testbed.at(), request("POST /t1/things", &[&token, kinds[0], kinds[1]], &body));
            assert_eq!(answer.status, 400, "{kinds:?}: {}", answer.text());
        }
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_form_that_the_gateway_cannot_read_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    // Only a server that decodes the body sees its content.
    for coding in ["Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: identity, br"] {
        for kind in [FORM, MULTIPART] {
            let answer = ask(testbed.at(), request("POST /t1/things", &[&token, kind, coding], b"\x1f\x8b\x08\x00"));
            assert_eq!(answer.status, 400, "{kind} {coding}: {}", answer.text());
        }
    }
    for charset in ["utf-16", "UTF-7", "ibm037", "\"utf-32\""] {
        let kind = format!("{FORM}; charset={charset}");
        let answer = ask(testbed.at(), request("POST /t1/things", &[&token, &kind], b"a=1"));
        assert_eq!(answer.status, 400, "{charset}: {}", answer.text());
    }
    assert_eq!(testbed.origin.count(), 0);
    for charset in ["utf-8", "UTF-8", "\"utf-8\"", "iso-8859-1", "us-ascii"] {
        let kind = format!("{FORM}; charset={charset}");
        assert_eq!(ask(testbed.at(), request("POST /t1/things", &[&token, &kind], b"a=1")).status, 200, "{charset}");
    }
    let json = ["Content-Type: application/json", "Content-Encoding: gzip"];
    assert_eq!(ask(testbed.at(), request("POST /t1/things", &[&token, json[0], json[1]], b"\x1f\x8b")).status, 200);
}

const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=edge";

/// A form whose last field is named `name`, after `before` bytes.
fn multipart(name: &str, before: usize) -> Vec<u8> {
    let mut body = b"--edge\r\nContent-Disposition: form-data; name=\"first\"\r\n\r\n".to_vec();
    body.extend(std::iter::repeat_n(b'x', before));
    body.extend(format!("\r\n--edge\r\nContent-Disposition: form-data; {name}\r\n\r\nDELETE\r\n--edge--\r\n").bytes());
    body
}

#[test]
fn a_body_without_a_media_type_is_looked_at_like_a_form() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    // Rack parses it as URL-encoded.
    for body in [&b"_method=DELETE"[..], b"a=b&%5Fmethod=DELETE"] {
        assert_eq!(ask(testbed.at(), request("POST /t1/things", &[&token], body)).status, 400);
    }
    // It may be long, and is not delayed.
    let body = vec![b'x'; 300_000];
    assert_eq!(ask(testbed.at(), request("POST /t1/things", &[&token], &body)).status, 200);
    assert_eq!(testbed.origin.last().body, body);
}

#[test]
fn a_name_that_a_part_spreads_over_two_lines_is_cut() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for name in ["name=\"_me\r\nthod\"", "name=\"_me\nthod\"", "na\r\nme=\"_method\""] {
        let answer = ask(testbed.at(), request("POST /t1/things", &[&token, MULTIPART], &multipart(name, 10)));
        assert_eq!(answer.status, 400, "{name:?}");
    }
    assert_eq!(
        ask(testbed.at(), request("POST /t1/things?%u0058-HTTP-Method-Override=PUT", &[&token], b"")).status,
        400
    );
    let answer = ask(testbed.at(), request("POST /t1/things", &[&token, FORM], b"%u0058-HTTP-Method-Override=DELETE"));
    assert_eq!(answer.status, 400);
}

#[test]
fn an_override_in_json_is_cut_where_it_appears() {
    let body = br#"{"a": "_method", "\u005fmethod" : "DELETE"}"#;
    for overrides in ["reject", "strip", "evaluate"] {
        let testbed = Testbed::strict(Origin::start()).with("api/method-overrides", json!(overrides)).start();
        let token = testbed.bearer(&["user", "remover"]);
        let kinds = ["Content-Type: application/json", "Content-Type: application/vnd.api+json; charset=utf-8"];
        for kind in kinds {
            let fine = br#"{"a": "_method", "b": {"method": "DELETE"}}"#;
            assert_eq!(ask(testbed.at(), request("POST /t1/things", &[&token, kind], fine)).status, 200, "{kind}");
            assert_eq!(testbed.origin.last().body, fine);
        }
        for kind in kinds {
            let answer = ask(testbed.at(), request("POST /t1/things", &[&token, kind], body));
            assert_eq!(answer.status, 400, "{overrides} {kind}");
        }
    }
}
