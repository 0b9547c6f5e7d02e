//! Timeouts: an upstream that is slow to connect, to send its header or to send its body is given up in time.

use std::io::Write;
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use serde_json::{Value, json};

use super::drain::POLICY;
use crate::support::{Answer, Client, Gateway, TestEnvironment};
use crate::wire::origin::{Origin, read_request};

/// BlackholeListener: a listening socket with a full queue, so that the kernel answers no further connection.
struct BlackholeListener {
    address: SocketAddr,
    _held: (OwnedFd, Vec<TcpStream>),
}

impl BlackholeListener {
    fn open() -> Self {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&listener, &SocketAddrV4::new([127, 0, 0, 1].into(), 0)).unwrap();
        listen(&listener, 0).unwrap();
        let address = getsockname(&listener).unwrap().try_into().unwrap();
        let mut taken = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            taken.push(stream);
            assert!(taken.len() < 100, "the queue has no end");
        }
        Self { address, _held: (listener, taken) }
    }
}

/// An upstream that sends `head`, and then a byte every tenth of a second.
fn trickling_origin(head: &'static [u8]) -> Origin {
    Origin::with_script(move |mut stream, journal| {
        let mut pending = Vec::new();
        if read_request(&mut stream, &mut pending, journal).is_none() || stream.write_all(head).is_err() {
            return;
        }
        // A minute: longer than any client here waits.
        for _ in 0..600 {
            std::thread::sleep(Duration::from_millis(100));
            if stream.write_all(b"x").is_err() {
                return;
            }
        }
    })
}

async fn serve(upstream: SocketAddr, times: Value) -> (TestEnvironment, Gateway, String) {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let mut settings = env.settings("policy.yaml").with("/apis/noah/upstream/url", json!(format!("http://{upstream}")));
    settings.0["apis"]["noah"]["upstream"].as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
    let gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    (env, gateway, token)
}

async fn refused(env: &TestEnvironment, answer: &Answer, word: &str) {
    assert_eq!((answer.status, answer.reason().as_deref()), (504, Some(word)), "{answer:?}");
    let record = env.audit_record(answer.decision().unwrap()).await;
    assert_eq!(
        (&record["verdict"], &record["failure"], &record["status"]),
        (&json!("permit"), &json!(word), &json!(504))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_not_established_times_out() {
    let hole = BlackholeListener::open();
    let (env, gateway, token) = serve(hole.address, json!({ "connect-timeout": "1s" })).await;
    let answer = Client::connect(gateway.address()).await.get("/t1/notes", &token).await;
    refused(&env, &answer, "upstream-connect-timeout").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickling_header_is_given_up_at_the_total_timeout() {
    let origin = trickling_origin(b"HTTP/1.1 200 OK\r\nX-Slow: ");
    let (env, gateway, token) = serve(origin.address(), json!({ "read-timeout": "1s", "total-timeout": "2s" })).await;
    let answer = Client::connect(gateway.address()).await.get("/t1/notes", &token).await;
    refused(&env, &answer, "upstream-timeout").await;
    assert_eq!(origin.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickling_body_is_cut_at_the_total_timeout() {
    let origin = trickling_origin(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    let (_stage, gateway, token) =
        serve(origin.address(), json!({ "read-timeout": "1s", "total-timeout": "2s" })).await;
    let answer = Client::connect(gateway.address()).await.try_send("GET", "/t1/notes", &token, &[], "").await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(origin.count(), 1);
}
