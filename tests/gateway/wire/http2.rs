//! HTTP/2 downstream, with and without TLS: the same decisions, the same header hygiene, one framing upstream.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Frame;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pingora::tls::TlsConnector;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::find;
use super::origin::{Origin, ReceivedRequest, ok};
use super::testbed::{Testbed, TestbedBuilder, until};

type Body = BoxBody<Bytes, Infallible>;

/// Answer: a whole response over HTTP/2.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A testbed whose gateway speaks HTTP/2 with TLS on `secure` and without on `clear`, and the certificate.
fn testbed(origin: Origin) -> (Testbed, String) {
    testbed_with(origin, |builder| builder)
}

/// The same testbed with further settings.
fn testbed_with(origin: Origin, change: impl FnOnce(TestbedBuilder) -> TestbedBuilder) -> (Testbed, String) {
    let made = rcgen::generate_simple_self_signed(vec!["noah.test".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    let listeners = json!([
        { "address": "127.0.0.1:0", "name": "plain" },
        { "address": "127.0.0.1:0", "name": "clear", "h2c": true },
        { "address": "127.0.0.1:0", "name": "secure", "tls": { "certificates": [{ "chain": "chain.pem", "key": "key.pem" }] } },
    ]);
    let builder = change(Testbed::strict(origin)).with("/listeners", listeners);
    let builder = builder.file("chain.pem", certificate.clone()).file("key.pem", made.signing_key.serialize_pem());
    let testbed = builder.start();
    until("every listener is up", || testbed.gateway.log_lines("listening").len() == 3);
    (testbed, certificate)
}

async fn clear(testbed: &Testbed) -> SendRequest<Body> {
    let stream = TcpStream::connect(testbed.gateway.listener("clear")).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    sender
}

async fn secure(testbed: &Testbed, certificate: &str) -> SendRequest<Body> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let socket = TcpStream::connect(testbed.gateway.listener("secure")).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let name = ServerName::try_from("noah.test").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    sender
}

async fn send(sender: &mut SendRequest<Body>, request: Request<Body>) -> Answer {
    let exchange = async {
        sender.ready().await.unwrap();
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        Answer { status: head.status.as_u16(), headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    };
    timeout(Duration::from_secs(20), exchange).await.expect("the gateway answers in time")
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("http://noah.test{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

fn empty_body() -> Body {
    Empty::new().boxed()
}

fn text(body: &'static str) -> Body {
    Full::new(Bytes::from(body)).boxed()
}

/// FramedBody: a body of unknown length, so that an empty DATA frame ends it.
struct FramedBody(std::collections::VecDeque<&'static str>);

impl hyper::body::Body for FramedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(Bytes::from(piece)))))
    }
}

/// A body of these frames, and an empty one.
fn frames(pieces: &[&'static str]) -> Body {
    FramedBody(pieces.iter().copied().collect()).boxed()
}

#[test]
fn http2_is_decided_like_http1() {
    let (testbed, certificate) = testbed(Origin::start());
    let token = format!("Bearer {}", testbed.token(&["user"]));
    let auth = ("authorization", token.as_str());
    let refused = [
        ("GET", "/t1/Secrets", true, 403, "not-granted"),
        ("DELETE", "/t1/things/a", true, 403, "not-granted"),
        ("GET", "/t2/things", true, 403, "not-a-member"),
        ("GET", "/t1/nothing/at/all", true, 404, "no-route"),
        ("PATCH", "/t1/things", true, 405, "no-method"),
        ("GET", "/t1/things", false, 401, "unauthenticated"),
        ("GET", "/t1/nothing/at/all", false, 401, "unauthenticated"),
        ("GET", "/t1/things/../Secrets", true, 400, "bad-request"),
        ("GET", "/t1//things", true, 400, "bad-request"),
        ("GET", "/t1/things/%2e%2e", true, 400, "bad-request"),
        ("GET", "/t1/things?_method=DELETE", true, 400, "bad-request"),
    ];
    testbed.wait(async {
        for mut sender in [clear(&testbed).await, secure(&testbed, &certificate).await] {
            for (method, path, with_token, status, reason) in refused {
                let headers: &[(&str, &str)] = if with_token { &[auth] } else { &[] };
                let answer = send(&mut sender, request(method, path, headers, empty_body())).await;
                assert_eq!(answer.status, status, "{method} {path}");
                assert_eq!(answer.headers["content-type"], "application/problem+json");
                let problem = answer.json();
                assert!(problem["type"].as_str().unwrap().ends_with(reason), "{problem}");
                assert_eq!(problem["decision"].as_str().unwrap(), answer.headers["x-portcullis-decision"]);
            }
        }
    });
    assert_eq!(testbed.origin.count(), 0);
    testbed.wait(async {
        for mut sender in [clear(&testbed).await, secure(&testbed, &certificate).await] {
            let answer = send(&mut sender, request("GET", "/t1/things/a?x=1", &[auth], empty_body())).await;
            assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
            let head = send(&mut sender, request("HEAD", "/t1/things/a", &[auth], empty_body())).await;
            assert_eq!((head.status, head.body.len()), (200, 0));
        }
    });
    let received = testbed.origin.requests();
    assert_eq!(received.len(), 4);
    assert_eq!(
        (received[0].target().as_str(), received[0].header("host").as_deref()),
        ("/t1/things/a?x=1", Some("noah.test"))
    );
    assert_eq!(received[0].header("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(received[2].header("x-forwarded-proto").as_deref(), Some("https"));
}

#[test]
fn http2_cannot_forge_who_asks() {
    let (testbed, certificate) = testbed(Origin::start());
    let token = format!("Bearer {}", testbed.token(&["user"]));
    let headers = [
        ("authorization", token.as_str()),
        ("x-portcullis-subject", "forged"),
        ("x_portcullis_subject", "forged"),
        ("x.portcullis-roles", "forged"),
        ("x-portcullis_tenant", "forged"),
        ("x-original-url", "/forged"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x_odd", "forged"),
    ];
    testbed.wait(async {
        for mut sender in [clear(&testbed).await, secure(&testbed, &certificate).await] {
            assert_eq!(send(&mut sender, request("GET", "/t1/things", &headers, empty_body())).await.status, 200);
        }
    });
    for received in testbed.origin.requests() {
        assert!(!received.text().contains("forged") && !received.text().contains("203.0.113.9"), "{}", received.text());
        assert_eq!(received.header("x-portcullis-subject").as_deref(), Some("test/alice"));
    }
}

#[test]
fn a_host_beside_another_authority_is_refused() {
    let (testbed, _) = testbed(Origin::start());
    let token = format!("Bearer {}", testbed.token(&["user"]));
    let headers = [("authorization", token.as_str()), ("host", "other.test")];
    testbed.wait(async {
        let mut sender = clear(&testbed).await;
        assert_eq!(send(&mut sender, request("GET", "/t1/things", &headers, empty_body())).await.status, 400);
    });
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_body_that_ends_in_an_empty_frame_has_one_last_chunk_upstream() {
    // Records every byte of the connection: a second last chunk would start the next request.
    let origin = Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        while let Some(_request) = super::origin::read_request(&mut stream, &mut pending, journal) {
            stream.write_all(&ok("ok")).unwrap();
            // The journal records unexpected bytes as they are.
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let mut rest = [0; 64];
            if let Ok(count) = stream.read(&mut rest)
                && count > 0
            {
                let stray = pending.iter().chain(&rest[..count]).copied().collect::<Vec<u8>>();
                if !stray.starts_with(b"POST ") && !stray.starts_with(b"GET ") {
                    journal.record_request(ReceivedRequest { head: stray.clone(), ..ReceivedRequest::default() });
                }
                pending = stray;
            }
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
    });
    let (testbed, certificate) = testbed(origin);
    let token = format!("Bearer {}", testbed.token(&["user"]));
    let auth = [("authorization", token.as_str())];
    let bodies: [&[&str]; 4] = [&["hello"], &["he", "llo"], &[""], &["hello", ""]];
    testbed.wait(async {
        for mut sender in [clear(&testbed).await, secure(&testbed, &certificate).await] {
            for pieces in bodies {
                let answer = send(&mut sender, request("POST", "/t1/things", &auth, frames(pieces))).await;
                assert_eq!(answer.status, 200, "{pieces:?}");
                let answer = send(&mut sender, request("GET", "/t1/things", &auth, empty_body())).await;
                assert_eq!(answer.status, 200, "the request after {pieces:?}");
            }
        }
    });
    let received = testbed.origin.requests();
    let posts: Vec<&ReceivedRequest> = received.iter().filter(|received| received.method() == "POST").collect();
    assert_eq!(posts.len(), 8, "{:?}", received.iter().map(ReceivedRequest::line).collect::<Vec<_>>());
    assert_eq!(received.len(), 16, "{:?}", received.iter().map(ReceivedRequest::line).collect::<Vec<_>>());
    for (post, pieces) in posts.iter().zip(bodies.iter().cycle()) {
        assert_eq!(post.body, pieces.concat().as_bytes());
        let ends = post.raw_body.windows(5).filter(|window| window == b"0\r\n\r\n").count();
        assert_eq!(ends, usize::from(post.header("transfer-encoding").is_some()), "{:?}", post.raw_body);
        assert!(find(&post.raw_body, b"0\r\n\r\n0\r\n\r\n").is_none());
    }
}

#[test]
fn a_body_with_a_length_keeps_it() {
    let (testbed, certificate) = testbed(Origin::start());
    let token = format!("Bearer {}", testbed.token(&["user"]));
    let auth = [("authorization", token.as_str())];
    testbed.wait(async {
        for mut sender in [clear(&testbed).await, secure(&testbed, &certificate).await] {
            assert_eq!(send(&mut sender, request("POST", "/t1/things", &auth, text("hello"))).await.status, 200);
        }
    });
    for received in testbed.origin.requests() {
        assert_eq!(received.body, b"hello");
        assert_eq!(
            received.all("content-length").len() + received.all("transfer-encoding").len(),
            1,
            "{}",
            received.text()
        );
    }
}

#[test]
fn many_streams_of_one_connection_are_decided_each_on_its_own() {
    let (testbed, certificate) = testbed(Origin::with_responder(|received| ok(&received.target())));
    let token = format!("Bearer {}", testbed.token(&["user"]));
    testbed.wait(async {
        let sender = secure(&testbed, &certificate).await;
        let tasks: Vec<_> = (0..60)
            .map(|at| {
                let (mut sender, token) = (sender.clone(), token.clone());
                tokio::spawn(async move {
                    let path = if at % 3 == 0 { format!("/t1/Secrets/{at}") } else { format!("/t1/things/{at}") };
                    let headers: &[(&str, &str)] = if at % 3 == 1 { &[] } else { &[("authorization", token.as_str())] };
                    (at, path.clone(), send(&mut sender, request("GET", &path, headers, empty_body())).await)
                })
            })
            .collect();
        for task in tasks {
            let (at, path, answer) = task.await.unwrap();
            match at % 3 {
                0 => assert_eq!(answer.status, 403, "{path}"),
                1 => assert_eq!(answer.status, 401, "{path}"),
                _ => assert_eq!((answer.status, &answer.body[..]), (200, path.as_bytes())),
            }
        }
    });
    assert_eq!(testbed.origin.count(), 20);
}

#[test]
fn a_listener_that_does_not_ask_for_it_speaks_no_http2_without_tls() {
    let (testbed, _) = testbed(Origin::start());
    let mut client = super::client::Client::connect(testbed.gateway.listener("plain"));
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00");
    while client.more() {}
    let answer = client.taken();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&answer));
    // HTTP/1.1 is still served where HTTP/2 is possible.
    let token = testbed.bearer(&["user"]);
    let at = testbed.gateway.listener("clear");
    assert_eq!(super::client::ask(at, super::client::request("GET /t1/things", &[&token], b"")).status, 200);
}

#[test]
fn forms_and_limits_are_the_same_over_http2() {
    let (testbed, certificate) = testbed_with(Origin::start(), |builder| builder.with("api/body", json!("1MiB")));
    let token = format!("Bearer {}", testbed.token(&["user"]));
    let auth = ("authorization", token.as_str());
    let form = ("content-type", "application/x-www-form-urlencoded");
    let parts = ("content-type", "multipart/form-data; boundary=edge");
    let piece: &'static str = Box::leak("x".repeat(64 * 1024).into_boxed_str());
    testbed.wait(async {
        for mut sender in [clear(&testbed).await, secure(&testbed, &certificate).await] {
            let mut post = async |headers: &[(&str, &str)], pieces: &[&'static str]| {
                send(&mut sender, request("POST", "/t1/things", headers, frames(pieces))).await.status
            };
            assert_eq!(post(&[auth, form], &["a=1&_me", "thod=PUT"]).await, 400);
            assert_eq!(post(&[auth, form], &["a=", piece]).await, 413);
            assert_eq!(
                post(&[auth, parts], &["--edge\r\nContent-Disposition: form-data; name=\"_me", "thod\"\r\n"]).await,
                400
            );
            assert_eq!(post(&[auth], &[piece; 17]).await, 413);
            assert_eq!(post(&[auth, form], &["a=1", "&b=2"]).await, 200);
            assert_eq!(post(&[auth, form], &[""]).await, 200);
            assert_eq!(post(&[auth], &[piece; 16]).await, 200);
        }
    });
    // A chunked body that was cut has no last chunk; an empty body needs no framing.
    let is_whole = |received: &ReceivedRequest| {
        received.raw_body.ends_with(b"0\r\n\r\n") || received.all("transfer-encoding").is_empty()
    };
    let whole: Vec<ReceivedRequest> = testbed.origin.requests().into_iter().filter(is_whole).collect();
    let bodies: Vec<usize> = whole.iter().map(|received| received.body.len()).collect();
    assert_eq!(bodies, [7, 0, 1 << 20, 7, 0, 1 << 20], "only what was permitted arrived whole");
}

#[test]
fn a_large_body_over_http2_is_not_buffered() {
    let (testbed, certificate) = testbed(Origin::start());
    let token = format!("Bearer {}", testbed.token(&["user"]));
    let auth = [("authorization", token.as_str())];
    let piece: &'static str = Box::leak("x".repeat(64 * 1024).into_boxed_str());
    testbed.wait(async {
        let mut sender = secure(&testbed, &certificate).await;
        let answer = send(&mut sender, request("POST", "/t1/things", &auth, frames(&vec![piece; 512]))).await;
        assert_eq!(answer.status, 200);
    });
    assert_eq!(testbed.origin.last().body.len(), 32 << 20);
    assert!(testbed.peak_memory() < 150 << 10, "{} KiB", testbed.peak_memory());
}
