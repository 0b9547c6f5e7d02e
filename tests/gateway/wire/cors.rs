//! CORS: preflights are answered by origin alone and never forwarded; every other request is decided as usual.

use super::client::{Answer, ask, request};
use super::origin::Origin;
use super::testbed::{Testbed, TestbedBuilder};

const CORS: &str = "\
cors:
  origins: [\"https://portal.test\", \"http://localhost:3000\"]
  headers: [X-Api-Version]
  expose: [X-Total]
  max-age: 120
routes:";

const PREFLIGHT: [&str; 2] = ["Access-Control-Request-Method: DELETE", "Access-Control-Request-Headers: authorization"];

fn with_cors(origin: Origin) -> TestbedBuilder {
    Testbed::strict(origin).policy("routes:", CORS)
}

fn preflight(testbed: &Testbed, path: &str, origin: &str) -> Answer {
    ask(
        testbed.at(),
        request(&format!("OPTIONS {path}"), &[&format!("Origin: {origin}"), PREFLIGHT[0], PREFLIGHT[1]], b""),
    )
}

#[test]
fn a_preflight_from_an_allowed_origin_is_answered_alike_for_every_path() {
    let testbed = with_cors(Origin::start()).start();
    let mut answers = Vec::new();
    for path in
        ["/t1/things", "/t1/Secrets/s", "/t1/nothing", "/", "/t1/../x", "/t1/%zz", "/closed", "/socket?access_token=x"]
    {
        let mut answer = preflight(&testbed, path, "https://portal.test");
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://portal.test"), "{path}");
        // The parts that differ between responses reveal nothing about the path.
        answer.headers.retain(|(name, _)| name != "date" && name != "x-portcullis-decision");
        answers.push((answer.status, answer.headers, answer.body));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    assert_eq!(testbed.origin.count(), 0, "a preflight is not forwarded");
}

#[test]
fn a_preflight_says_what_scripts_may_send() {
    let testbed = with_cors(Origin::start()).start();
    let answer = preflight(&testbed, "/t1/things", "http://localhost:3000");
    let listed = |name: &str| answer.header(name).unwrap_or_default().to_ascii_lowercase();
    assert_eq!(listed("access-control-allow-origin"), "http://localhost:3000");
    for method in ["get", "post", "put", "delete"] {
        assert!(listed("access-control-allow-methods").contains(method), "{answer:?}");
    }
    for header in ["authorization", "content-type", "x-api-version"] {
        assert!(listed("access-control-allow-headers").contains(header), "{answer:?}");
    }
    assert_eq!(listed("access-control-max-age"), "120");
    assert!(listed("vary").contains("origin"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert!(answer.body.is_empty());
}

#[test]
fn a_preflight_from_an_unknown_origin_is_a_request_like_any_other() {
    let testbed = with_cors(Origin::start()).start();
    for origin in [
        "https://evil.test",
        "null",
        "https://portal.test.evil.test",
        "https://portal.test:444",
        "http://portal.test",
        "https://PORTAL.test",
        "https://portal.test/",
        "https://xportal.test",
        "https://portal.test https://evil.test",
    ] {
        for path in ["/t1/things", "/t1/nothing"] {
            let answer = preflight(&testbed, path, origin);
            assert_eq!(answer.status, 401, "{origin} {path}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(answer.header("access-control-allow-methods"), None, "{origin}");
        }
    }
    let twice = ["Origin: https://portal.test", "Origin: https://evil.test", PREFLIGHT[0]];
    let answer = ask(testbed.at(), request("OPTIONS /t1/things", &twice, b""));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, None));
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn without_cors_in_the_policy_no_preflight_is_answered() {
    let testbed = Testbed::strict(Origin::start()).start();
    let answer = preflight(&testbed, "/t1/things", "https://portal.test");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn options_that_is_no_preflight_is_decided_like_any_method() {
    let testbed = with_cors(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let origin = "Origin: https://portal.test";
    // Listed on the collection only.
    assert_eq!(ask(testbed.at(), request("OPTIONS /t1/things", &[&token, origin], b"")).status, 200);
    assert_eq!(testbed.origin.last().method(), "OPTIONS");
    let answer = ask(testbed.at(), request("OPTIONS /t1/things/a", &[&token, origin], b""));
    assert_eq!((answer.status, answer.reason().as_str()), (405, "no-method"));
    assert_eq!(ask(testbed.at(), request("OPTIONS /t1/things", &[origin], b"")).status, 401);
    // Without an origin, the other header makes no preflight.
    assert_eq!(ask(testbed.at(), request("OPTIONS /t1/things/a", &[&token, PREFLIGHT[0]], b"")).status, 405);
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn answers_to_allowed_origins_say_so_refusals_included() {
    let testbed = with_cors(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let origin = "Origin: https://portal.test";
    for (line, token, status) in [
        ("GET /t1/things", Some(&token), 200),
        ("GET /t1/Secrets", Some(&token), 403),
        ("GET /t1/nothing", Some(&token), 404),
        ("GET /t1/things", None, 401),
        ("GET /t1//things", Some(&token), 400),
    ] {
        let mut headers = vec![origin];
        headers.extend(token.map(String::as_str));
        let answer = ask(testbed.at(), request(line, &headers, b""));
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.all("access-control-allow-origin"), ["https://portal.test"], "{line}");
        assert_eq!(answer.all("access-control-expose-headers"), ["X-Total"], "{line}");
        assert!(answer.all("vary").iter().any(|vary| vary.eq_ignore_ascii_case("origin")), "{line}: {answer:?}");
    }
    for other in ["https://evil.test", "null"] {
        let answer = ask(testbed.at(), request("GET /t1/things", &[&token, &format!("Origin: {other}")], b""));
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{other}");
    }
    let answer = ask(testbed.at(), request("GET /t1/things", &[&token], b""));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
}

#[test]
fn cors_headers_of_the_policy_replace_the_upstreams() {
    let testbed = with_cors(Origin::with_responder(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n\
          Vary: Accept\r\n\r\nok"
            .to_vec()
    }))
    .start();
    let token = testbed.bearer(&["user"]);
    let answer = ask(testbed.at(), request("GET /t1/things", &[&token, "Origin: https://portal.test"], b""));
    assert_eq!(answer.all("access-control-allow-origin"), ["https://portal.test"]);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert!(answer.all("vary").join(",").to_lowercase().contains("accept"));
    let answer = ask(testbed.at(), request("GET /t1/things", &[&token, "Origin: https://evil.test"], b""));
    assert_eq!(answer.all("access-control-allow-origin"), [""; 0]);
}

#[test]
fn credentials_of_the_browser_are_allowed_where_the_policy_says_so() {
    let cors = CORS.replace("  max-age: 120", "  credentials: true");
    let testbed = Testbed::strict(Origin::start()).policy("routes:", &cors).start();
    let answer = preflight(&testbed, "/t1/things", "https://portal.test");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://portal.test"), "never `*`");
}
