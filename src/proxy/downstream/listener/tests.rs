//! Tests of `listener`: whole servers on loopback, with a proxy application that answers by itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream as Client};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant as Clock;

use pingora::http::ResponseHeader;
use pingora::protocols::GetSocketDigest;
use pingora::proxy::{ProxyHttp, Session, http_proxy};
use pingora::server::RunArgs;
use pingora::upstreams::peer::HttpPeer;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::accept::pingora_stream;
use super::*;
use crate::guard::in_flight::{InFlight, InFlightGuard};
use crate::proxy::downstream::connection::{H2_PREFACE, deadlines_of};
use crate::proxy::downstream::tls::tests::{certificate, client};
use crate::proxy::downstream::tls::{HandshakeFacts, TlsPlan};
use crate::proxy::lifecycle::{DrainPlan, RuntimePlan, ShutdownCoordinator, StopTrigger};

const SOON: Duration = Duration::from_millis(200);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
/// An empty SETTINGS frame (RFC 9113, section 6.5): both sides begin with one.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

const LARGE: usize = 1 << 20;

/// Answers who the client is; `/slow` takes its time, `/large` says much.
struct Answering(InFlight);

#[async_trait]
impl ProxyHttp for Answering {
    type CTX = InFlightGuard;

    fn new_ctx(&self) -> InFlightGuard {
        self.0.enter()
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut InFlightGuard) -> pingora::Result<Box<HttpPeer>> {
        pingora::Error::e_explain(pingora::ErrorType::InternalError, "nothing is forwarded here")
    }

    async fn request_filter(&self, session: &mut Session, _: &mut InFlightGuard) -> pingora::Result<bool> {
        if session.req_header().uri.path() == "/slow" {
            sleep(SOON * 2).await;
        }
        // The edge speaks to the connection, whether TLS stands in between or not.
        assert_eq!(session.as_downstream().stream().map(|stream| deadlines_of(stream).is_some()), Some(true));
        let tls = session.digest().and_then(|digest| digest.ssl_digest.clone());
        let name = tls.and_then(|tls| tls.extension.get::<HandshakeFacts>().and_then(|peer| peer.server_name.clone()));
        let (peer, local) = (session.client_addr().cloned(), session.server_addr().cloned());
        let mut body = format!("{} {} {}", peer.unwrap(), local.unwrap(), name.unwrap_or_default());
        if session.req_header().uri.path() == "/large" {
            body = "x".repeat(LARGE);
        }
        let mut header = ResponseHeader::build(200, None)?;
        header.insert_header("content-length", body.len())?;
        session.write_response_header(Box::new(header), false).await?;
        session.write_response_body(Some(body.into()), true).await?;
        Ok(true)
    }
}

struct Running {
    address: SocketAddr,
    traffic: Arc<ConnectionCounters>,
    stop: StopTrigger,
    server: Option<JoinHandle<()>>,
}

impl Running {
    fn start(plan: &ListenerPlan, drain: DrainPlan) -> Self {
        let bound = BoundListener::bind(plan, Arc::default()).unwrap();
        let (address, traffic) = (bound.local_addr(), bound.counters());
        let (exchanges, draining, stop) = (InFlight::default(), Draining::default(), StopTrigger::default());
        let mut server = RuntimePlan { threads: 1, ..RuntimePlan::default() }.server();
        let mut app = http_proxy(&server.configuration, Answering(exchanges.clone()));
        app.server_options = Some(http_options(SOON));
        server.add_service(ListenerService::new("front", app, draining.clone()).listening(bound));
        let ending =
            ShutdownCoordinator::new(drain, draining, exchanges, stop.clone()).settling([traffic.open().clone()]);
        let server = thread::spawn(move || server.run(RunArgs { shutdown_signal: Box::new(ending) }));
        Self { address, traffic, stop, server: Some(server) }
    }

    fn plain(change: impl FnOnce(&mut ListenerPlan)) -> Self {
        let mut plan = plan();
        change(&mut plan);
        Self::start(&plan, DrainPlan { linger: SOON, deadline: SOON * 5, ..DrainPlan::default() })
    }

    fn connect(&self) -> Client {
        let client = Client::connect(self.address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        client
    }

    /// Waits until the server holds no connection.
    fn empty(&self) {
        let until = Clock::now() + Duration::from_secs(1);
        while self.traffic.open().count() > 0 {
            assert!(Clock::now() < until);
            thread::yield_now();
        }
    }

    /// Stops the server and says how long that took.
    fn end(&mut self) -> Duration {
        let before = Clock::now();
        self.stop.request();
        self.server.take().unwrap().join().unwrap();
        before.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.request();
        self.stop.request();
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn plan() -> ListenerPlan {
    let limits = ListenerLimits { handshake: SOON, header: SOON, ..ListenerLimits::default() };
    ListenerPlan { address: "127.0.0.1:0".parse().unwrap(), tls: None, h2c: false, limits }
}

/// One response with a Content-Length, header and body.
fn response(from: &mut impl Read) -> String {
    let mut text = String::new();
    let mut byte = [0];
    let mut missing = None;
    while missing != Some(0) {
        if from.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        text.push(char::from(byte[0]));
        missing = missing.map(|missing: usize| missing - 1);
        if missing.is_none() && text.ends_with("\r\n\r\n") {
            let length = text.to_lowercase().split("content-length: ").nth(1).unwrap().to_owned();
            missing = Some(length.split("\r\n").next().unwrap().parse().unwrap());
        }
    }
    text
}

fn ask(client: &mut Client, request: &[u8]) -> String {
    client.write_all(request).unwrap();
    response(client)
}

/// Waits for the server to close and says how long that took.
fn closed(client: &mut Client) -> Duration {
    let before = Clock::now();
    let mut rest = Vec::new();
    let read = client.read_to_end(&mut rest);
    let kind = read.err().map(|error| error.kind());
    assert!(matches!(kind, None | Some(io::ErrorKind::ConnectionReset)), "still open: {kind:?}");
    before.elapsed()
}

#[test]
fn a_taken_address_is_refused_in_one_line() {
    let taken = BoundListener::bind(&plan(), Arc::default()).unwrap();
    let address = taken.local_addr();
    let error = BoundListener::bind(&ListenerPlan { address, ..plan() }, Arc::default()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on `{address}`: ")) && !error.contains('\n'), "{error}");
}

#[test]
fn certificates_that_cannot_be_used_are_refused_before_anything_starts() {
    let tls = Some(TlsPlan { certificates: Vec::new(), h2: true, clients: None });
    let error = BoundListener::bind(&ListenerPlan { tls, ..plan() }, Arc::default()).unwrap_err().to_string();
    assert_eq!(error, "cannot listen on `127.0.0.1:0` with tls: tls without a certificate");
}

#[tokio::test]
async fn binding_works_inside_an_event_loop_too() {
    assert_ne!(BoundListener::bind(&plan(), Arc::default()).unwrap().local_addr().port(), 0);
}

#[test]
fn port_zero_becomes_a_real_one_and_both_addresses_are_seen() {
    let server = Running::plain(|_| {});
    let mut client = server.connect();
    let expected = format!("{} {} ", client.local_addr().unwrap(), server.address);
    for _ in 0..2 {
        let answer = ask(&mut client, GET);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&expected), "{answer}");
    }
    assert_eq!((server.traffic.accepted(), server.traffic.open().count()), (1, 1));
}

#[test]
fn a_connection_over_the_limit_is_closed_at_once() {
    let server = Running::plain(|plan| plan.limits.connections = 1);
    let mut first = server.connect();
    assert!(ask(&mut first, GET).starts_with("HTTP/1.1 200"));
    let mut second = server.connect();
    assert!(closed(&mut second) < SOON);
    drop(first);
    server.empty();
    assert!(ask(&mut server.connect(), GET).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_client_that_sends_no_request_is_cut() {
    for h2c in [false, true] {
        let server = Running::plain(|plan| plan.h2c = h2c);
        let mut silent = server.connect();
        let mut half = server.connect();
        half.write_all(&GET[..GET.len() - 2]).unwrap();
        let mut preface = server.connect();
        preface.write_all(&H2_PREFACE[..20]).unwrap();
        for client in [&mut silent, &mut half, &mut preface] {
            assert!(closed(client) < SOON * 3);
        }
    }
}

#[test]
fn http2_in_the_clear_begins_only_where_the_plan_says() {
    for h2c in [true, false] {
        let server = Running::plain(|plan| plan.h2c = h2c);
        let mut client = server.connect();
        client.write_all(&[H2_PREFACE, SETTINGS].concat()).unwrap();
        let mut begun = [0; 5];
        let read = client.read_exact(&mut begun);
        assert_eq!(read.is_ok() && begun[3] == 4, h2c, "{begun:?}");
    }
}

#[test]
fn an_idle_http2_connection_is_closed() {
    let server = Running::plain(|plan| plan.h2c = true);
    let mut client = server.connect();
    client.write_all(&[H2_PREFACE, SETTINGS].concat()).unwrap();
    assert!(closed(&mut client) < SOON * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_with_a_draining_of_its_own_closes_with_the_server() {
    let bound = BoundListener::bind(&plan(), Arc::default()).unwrap();
    let address = bound.local_addr();
    let conf = Arc::new(RuntimePlan::default().server_conf());
    let mut front =
        ListenerService::new("front", http_proxy(&conf, Answering(InFlight::default())), Draining::default());
    front = front.listening(bound);
    let (end, shutdown) = tokio::sync::watch::channel(false);
    let ended = tokio::spawn(async move { Service::start_service(&mut front, None, shutdown, 1).await });
    let mut client = Client::connect(address).unwrap();
    assert!(ask(&mut client, GET).starts_with("HTTP/1.1 200"));
    end.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(1), ended).await.unwrap().unwrap();
    closed(&mut client);
    assert!(Client::connect(address).is_err());
}

#[test]
fn http1_is_answered_on_an_h2c_listener_however_short() {
    let server = Running::plain(|plan| plan.h2c = true);
    assert!(ask(&mut server.connect(), b"GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200"));
    // Begins as the preface does.
    let mut client = server.connect();
    client.write_all(b"PR").unwrap();
    thread::sleep(Duration::from_millis(20));
    assert!(ask(&mut client, b"OPFIND / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_tls_handshake_that_does_not_end_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let tls =
        Some(TlsPlan { certificates: vec![certificate(folder.path(), "a", &["a.test"])], h2: true, clients: None });
    let server = Running::plain(|plan| plan.tls = tls);
    let mut silent = server.connect();
    let mut half = server.connect();
    half.write_all(&[22, 3, 1, 2, 0]).unwrap();
    assert!(closed(&mut silent) < SOON * 3);
    assert!(closed(&mut half) < SOON * 3);
    server.empty();
    assert_eq!(server.traffic.handshakes_failed(), 2);
}

#[tokio::test]
async fn tls_carries_both_versions_of_http_and_the_name_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let plan = certificate(folder.path(), "a", &["a.test"]);
    let tls = Some(TlsPlan { certificates: vec![plan.clone()], h2: true, clients: None });
    let server = Running::plain(|plan| plan.tls = tls);
    for (alpn, request) in [("http/1.1", GET.to_vec()), ("h2", [H2_PREFACE, SETTINGS].concat())] {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("a.test").unwrap();
        let mut stream = client(&[&plan], &[alpn]).connect(name, socket).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        stream.write_all(&request).await.unwrap();
        let mut begun = vec![0; 512];
        let mut read = stream.read(&mut begun).await.unwrap();
        if alpn == "h2" {
            assert_eq!(begun[3], 4);
            // Open, and held by nothing but the client.
            continue;
        }
        while !String::from_utf8_lossy(&begun[..read]).ends_with(" a.test") {
            let more = stream.read(&mut begun[read..]).await.unwrap();
            assert_ne!(more, 0, "{}", String::from_utf8_lossy(&begun[..read]));
            read += more;
        }
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path(), "a", &["a.test"]);
    let tls = TlsPlan { certificates: vec![certificate.clone()], h2: true, clients: None };
    let request = b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for tls in [None, Some(tls)] {
        let encrypted = tls.is_some();
        let server = Running::plain(|plan| plan.tls = tls);
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let mut answer = Vec::new();
        if encrypted {
            let name = ServerName::try_from("a.test").unwrap();
            let mut stream = client(&[&certificate], &["http/1.1"]).connect(name, socket).await.unwrap();
            stream.write_all(request).await.unwrap();
            stream.read_to_end(&mut answer).await.unwrap();
        } else {
            socket.write_all(request).await.unwrap();
            socket.read_to_end(&mut answer).await.unwrap();
        }
        assert!(answer.ends_with(&[b'x'; LARGE]) && answer.len() < LARGE + 500, "{}", answer.len());
    }
}

#[tokio::test]
async fn an_ipv4_client_of_an_ipv6_listener_has_its_ipv4_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = pingora_stream(socket, "[::ffff:192.0.2.7]:5".parse().unwrap()).unwrap();
    let digest = stream.get_socket_digest().unwrap();
    assert_eq!(digest.peer_addr().unwrap().to_string(), "192.0.2.7:5");
}

#[test]
fn an_idle_connection_does_not_delay_the_end() {
    let mut server = Running::plain(|plan| plan.h2c = true);
    let mut client = server.connect();
    assert!(ask(&mut client, GET).starts_with("HTTP/1.1 200"));
    let mut h2 = server.connect();
    h2.write_all(&[H2_PREFACE, SETTINGS].concat()).unwrap();
    h2.read_exact(&mut [0; 9]).unwrap();
    assert!(server.end() < Duration::from_secs(1));
    closed(&mut client);
}

#[test]
fn a_request_in_flight_finishes_while_new_connections_are_refused() {
    let mut server = Running::plain(|_| {});
    let mut slow = server.connect();
    slow.write_all(SLOW).unwrap();
    thread::sleep(SOON / 2);
    let address = server.address;
    let late = thread::spawn(move || {
        thread::sleep(SOON / 2);
        let mut late = Client::connect(address);
        // The kernel may take a connection until the socket is closed; nobody answers it.
        late.as_mut().map(|late| ask(late, GET)).unwrap_or_default()
    });
    let took = server.end();
    let answer = response(&mut slow);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(' '), "{answer}");
    assert!(took > SOON / 2 && took < Duration::from_secs(1), "{took:?}");
    assert_eq!(late.join().unwrap(), "");
}

#[test]
fn a_request_slower_than_the_drain_is_cut() {
    let mut server = Running::start(&plan(), DrainPlan { deadline: SOON / 2, ..DrainPlan::default() });
    let mut slow = server.connect();
    slow.write_all(SLOW).unwrap();
    thread::sleep(SOON / 4);
    assert!(server.end() < SOON * 2);
    assert_eq!(response(&mut slow), "");
}
