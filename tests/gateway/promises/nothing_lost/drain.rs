//! Drain: SIGTERM under load loses no accepted request.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Backend, LoadGenerator, PATIENCE, RawConnection, TestEnvironment, within};

/// A policy that permits callers with the row `Notes` to read notes.
pub(super) const POLICY: &str = "\
version: 1
name: notes
scopes: { tenant: caller }
routes:
  /{tenant}/notes: { GET: read Notes, POST: create Notes, PUT: update Notes }
  /{tenant}/hub: { GET: { need: read Notes, websocket: true } }
resources: [Notes]
permissions:
  Notes: { Notes: CRU }
";

pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_drops_no_request_that_was_accepted() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let backend = Backend::start(Duration::from_millis(3), OK).await;
    let settings =
        env.settings("policy.yaml").with("/apis/noah/upstream/url", json!(format!("http://{}", backend.address())));
    let mut gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let load = LoadGenerator::start(gateway.address(), "/t1/notes", &token, 12, true);
    within(PATIENCE, "the load runs", async || (load.answered() > 300).then_some(())).await;
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
    let tally = load.stop().await;
    assert!(tally.failed.is_empty(), "{tally:#?}");
    // Clients with persistent connections got the announcement, and then could not connect again.
    assert!(tally.announced >= 1 && tally.refused == 24, "{tally:#?}");
    let records = env.audit_records();
    assert_eq!((records.len(), backend.requests().len()), (tally.answered, tally.answered));
    assert!(records.iter().all(|record| record["status"] == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_a_connection_that_waits_to_be_accepted_is_answered_before_the_end() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let backend = Backend::start(Duration::from_millis(300), OK).await;
    let settings =
        env.settings("policy.yaml").with("/apis/noah/upstream/url", json!(format!("http://{}", backend.address())));
    let mut gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let request = format!("GET /t1/notes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    // While the process is stopped, the kernel accepts connections and bytes, and the signal is pending with them.
    gateway.signal("STOP");
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut connection = RawConnection::connect(gateway.address()).await;
        connection.send(&request).await;
        waiting.push(connection);
    }
    gateway.signal("TERM");
    gateway.signal("CONT");
    for connection in &mut waiting {
        let answer = connection.answer().await.expect("what was in the queue is answered");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    }
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_crosses_the_signal_on_a_kept_connection_is_answered_and_ends_it() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let mut gateway = env.serve(&env.settings("policy.yaml")).await;
    let mut connection = RawConnection::connect(gateway.address()).await;
    let request = "GET /t1/notes HTTP/1.1\r\nHost: a\r\n\r\n";
    connection.send(request).await;
    assert_eq!(connection.answer().await.unwrap().status, 401);
    gateway.signal("STOP");
    gateway.signal("TERM");
    // Half of the request arrives before the signal, half after it.
    connection.send(&request[..20]).await;
    gateway.signal("CONT");
    within(PATIENCE, "it drains", async || (!gateway.log_lines("draining").is_empty()).then_some(())).await;
    connection.send(&request[20..]).await;
    let answer = connection.answer().await.expect("it is answered");
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    assert_eq!(connection.rest().await, b"");
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_streams_in_flight_finish_and_of_new_ones_none_is_lost() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let backend = Backend::start(Duration::from_secs(1), OK).await;
    let settings = env
        .settings("policy.yaml")
        .with("/listeners/0/h2c", json!(true))
        .with("/apis/noah/upstream/url", json!(format!("http://{}", backend.address())));
    let mut gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let socket = TokioIo::new(TcpStream::connect(gateway.address()).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let in_flight: JoinSet<_> = (0..20).map(|_| ask(sender.clone(), token.clone())).collect();
    let late = async {
        within(PATIENCE, "all have arrived", async || (backend.requests().len() == 20).then_some(())).await;
        gateway.signal("TERM");
        within(PATIENCE, "it drains", async || (!gateway.log_lines("draining").is_empty()).then_some(())).await;
        let mut served = 0;
        // Until the connection accepts no more streams; each takes a second, so these are few.
        while ask(sender.clone(), token.clone()).await.is_ok() {
            served += 1;
        }
        served
    };
    let (answers, late) = tokio::join!(in_flight.join_all(), late);
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|body| body == "done")), "{answers:?}");
    // An unanswered request has not reached the upstream, so the client may retry it.
    assert_eq!(backend.requests().len(), 20 + late);
    // The server closes the connection with GOAWAY, not abruptly.
    assert!(connection.await.unwrap().is_ok());
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
    assert!(env.audit_records().iter().all(|record| record["status"] == 200 && record["failure"].is_null()));
}

/// The body of the response over HTTP/2, which must be a 200.
async fn ask(mut sender: SendRequest<Empty<Bytes>>, token: String) -> hyper::Result<Bytes> {
    let request = Request::get("http://noah.test/t1/notes").header("authorization", format!("Bearer {token}"));
    let answer = sender.send_request(request.body(Empty::new()).unwrap()).await?;
    assert_eq!(answer.status(), 200);
    Ok(answer.into_body().collect().await?.to_bytes())
}
