//! Upgrade: a new process takes over the listeners of the running one without an interruption.

mod chain;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::drain::{OK, POLICY};
use crate::support::{
    Backend, Client, Gateway, LoadGenerator, PATIENCE, RawConnection, Settings, TestEnvironment, within,
};

#[tokio::test(flavor = "multi_thread")]
async fn two_upgrades_under_load_lose_no_request_and_refuse_no_connection() {
    let (env, settings) = environment().await;
    let backend = Backend::start(Duration::from_millis(3), OK).await;
    let slow = Backend::start(Duration::from_secs(3), OK).await;
    let settings = settings
        .with("/apis/noah/upstream/url", json!(format!("http://{}", backend.address())))
        .api("slow", "policy.yaml", slow.address())
        .with("/apis/slow/match", json!({ "path": "/t2" }))
        .with("/apis/noah/audit", json!("lossless"))
        .with("/audit/rotate", json!({ "size": "1MiB" }));
    let first = env.serve(&settings).await;
    let (address, admin) = (first.address(), first.admin_address());
    let token = env.token(json!({ "permissions": ["Notes"], "tenants": ["t1", "t2"] }));
    let load = LoadGenerator::start(address, "/t1/notes", &token, 12, false);
    let mut running = first;
    for _ in 0..2 {
        let before = load.answered();
        within(PATIENCE, "the load runs", async || (load.answered() > before + 200).then_some(())).await;
        let mut client = Client::connect(address).await;
        let (arrived, token) = (slow.requests().len(), token.clone());
        let pending = tokio::spawn(async move { client.get("/t2/notes", &token).await });
        within(PATIENCE, "the long request arrives", async || (slow.requests().len() > arrived).then_some(())).await;

        let mut next = upgrade(&env.path("gateway.yaml"));
        wait_until_loaded(&next).await;
        running.signal("QUIT");
        next.wait_until_listening().await;
        assert_eq!((next.address(), next.admin_address()), (address, admin));
        let after = load.answered();
        within(PATIENCE, "the new process answers", async || (load.answered() > after + 200).then_some(())).await;
        assert!(!running.log_lines("the listeners are handed over").is_empty());
        let answer = pending.await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
        assert_eq!(running.wait_for_exit(PATIENCE).await.code(), Some(0));
        std::mem::swap(&mut running, &mut next);
    }
    running.wait_until_ready().await;
    let tally = load.stop().await;
    assert!(tally.failed.is_empty() && tally.refused == 0, "{tally:#?}");
    assert!(tally.announced >= 2, "{tally:#?}");
    assert_eq!(backend.requests().len(), tally.answered);
    running.signal("TERM");
    assert_eq!(running.wait_for_exit(PATIENCE).await.code(), Some(0));
    chain::assert_complete(&env, [&backend, &slow]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_stays_open_in_the_process_that_opened_it() {
    let (env, settings) = environment().await;
    let echo = echo_upstream().await;
    let settings = settings.with("/apis/noah/upstream/url", json!(format!("http://{echo}")));
    let mut old = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut socket = RawConnection::connect(old.address()).await;
    websocket(&mut socket, &token).await;
    echoes(&mut socket, b"one").await;

    let new = upgrade(&env.path("gateway.yaml"));
    old.signal("QUIT");
    new.wait_until_listening().await;
    within(PATIENCE, "the old one drains", async || (!old.log_lines("draining").is_empty()).then_some(())).await;
    for word in [b"two", b"six", b"ten"] {
        echoes(&mut socket, word).await;
    }
    // It has drained since: another SIGTERM from a supervisor, which sees the same service, changes nothing.
    old.signal("TERM");
    echoes(&mut socket, b"end").await;
    drop(socket);
    assert_eq!(old.wait_for_exit(PATIENCE).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_that_cannot_serve_leaves_the_old_one_untouched() {
    let (env, settings) = environment().await;
    let old = env.serve(&settings).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy =
        json!([{ "address": "127.0.0.1:0", "name": "plain" }, { "address": taken.local_addr().unwrap().to_string() }]);
    env.write("broken.yaml", "version: 1\nroutes: nonsense\n");
    let nobody =
        json!({ "issuer": "http://127.0.0.1:1", "audiences": ["a"], "keys": { "jwks": "http://127.0.0.1:1/" } });
    // Each with the text that its message names, and whether it gets as far as requesting the sockets.
    for (change, place, names, asks) in [
        ("/listenerz", json!([]), "listenerz", false),
        ("/apis/noah/policy", json!("broken.yaml"), "`noah` does not load", false),
        ("/issuers/nobody", nobody, "`nobody` cannot be loaded", false),
        ("/listeners", busy, "cannot listen on", true),
    ] {
        let path = env.write("next.yaml", &settings.clone().with(change, place).text());
        let mut next = upgrade(&path);
        if asks {
            old.signal("QUIT");
        }
        assert_eq!(next.wait_for_exit(Duration::from_secs(40)).await.code(), Some(1), "{change}");
        assert!(next.lines().iter().any(|line| line.contains(names)), "{change}: {:#?}", next.lines());
        assert_eq!(Client::connect(old.address()).await.get("/t1/notes", "").await.status, 401, "{change}");
        assert_eq!(old.admin("/ready").await.status, 200, "{change}");
    }
    // The old process still waits, and the next takeover succeeds.
    let mut old = old;
    let next = upgrade(&env.path("gateway.yaml"));
    next.wait_until_listening().await;
    assert_eq!(old.wait_for_exit(PATIENCE).await.code(), Some(0));
    assert_eq!(Client::connect(next.address()).await.get("/t1/notes", "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_that_are_new_are_bound_and_those_not_named_any_more_close() {
    let (env, settings) = environment().await;
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (kept, gone, new) = (free(), free(), free());
    let listeners = |names: [(&str, &str); 2]| json!(names.map(|(name, at)| json!({ "address": at, "name": name })));
    let before = settings.clone().with("/listeners", listeners([("plain", &kept), ("gone", &gone)]));
    let mut old = env.serve(&before).await;
    let path =
        env.write("next.yaml", &settings.with("/listeners", listeners([("plain", &kept), ("new", &new)])).text());
    let next = upgrade(&path);
    old.signal("QUIT");
    next.wait_until_listening().await;
    assert_eq!(old.wait_for_exit(PATIENCE).await.code(), Some(0));
    for at in [&kept, &new] {
        assert_eq!(Client::connect(at.parse().unwrap()).await.get("/t1/notes", "").await.status, 401, "{at}");
    }
    assert!(TcpStream::connect(gone.parse::<SocketAddr>().unwrap()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_listener_on_a_unix_socket_goes_over_with_its_name() {
    let (env, settings) = environment().await;
    let path = env.path("admin.sock");
    let settings = settings.with("/admin/address", json!(format!("unix:{}", path.display())));
    let mut old = Gateway::spawn(&env.write("gateway.yaml", &settings.text()));
    within(PATIENCE, "it listens", async || (!old.log_lines("listening").is_empty()).then_some(())).await;
    within(PATIENCE, "the old one is ready", async || ready(&path).await.then_some(())).await;
    let next = upgrade(&env.path("gateway.yaml"));
    old.signal("QUIT");
    assert_eq!(old.wait_for_exit(PATIENCE).await.code(), Some(0));
    assert!(path.exists());
    assert!(ready(&path).await);
    next.signal("TERM");
    within(PATIENCE, "its name goes with the last process", async || (!path.exists()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigquit_without_a_successor_changes_nothing() {
    let (env, settings) = environment().await;
    let mut gateway = env.serve(&settings).await;
    let mut client = Client::connect(gateway.address()).await;
    gateway.signal("QUIT");
    let waiting = "waiting for the process that takes over";
    within(PATIENCE, "it waits", async || (gateway.log_lines(waiting).len() == 1).then_some(())).await;
    gateway.signal("QUIT");
    assert_eq!(client.get("/t1/notes", "").await.status, 401);
    assert_eq!(gateway.admin("/ready").await.status, 200);
    assert_eq!(gateway.log_lines(waiting).len(), 1);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
    assert!(!env.path("upgrade.sock").exists());

    let mut settings = settings;
    settings.0.as_object_mut().unwrap().remove("upgrade-socket");
    let mut gateway = env.serve(&settings).await;
    gateway.signal("QUIT");
    let message = "SIGQUIT changes nothing: there are no sockets to hand over";
    within(PATIENCE, "it says so", async || (!gateway.log_lines(message).is_empty()).then_some(())).await;
    assert_eq!(gateway.admin("/ready").await.status, 200);
    let mut next = upgrade(&env.path("gateway.yaml"));
    assert_eq!(next.wait_for_exit(PATIENCE).await.code(), Some(1));
    assert!(next.lines().iter().any(|line| line.contains("`upgrade-socket`")), "{:#?}", next.lines());
    gateway.signal("TERM");
    gateway.wait_for_exit(PATIENCE).await;
}

async fn environment() -> (TestEnvironment, Settings) {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let settings = env.settings("policy.yaml").with("/upgrade-socket", json!("upgrade.sock"));
    (env, settings)
}

fn upgrade(config: &Path) -> Gateway {
    Gateway::spawn_with(config, |command| {
        command.arg("--upgrade");
    })
}

/// Waits until the new process has loaded everything.
async fn wait_until_loaded(next: &Gateway) {
    let loaded = "all is loaded, waiting for SIGQUIT to the running process";
    within(PATIENCE, loaded, async || (!next.log_lines(loaded).is_empty()).then_some(())).await;
}

/// Whether `/ready` on a Unix socket answers 200.
async fn ready(path: &Path) -> bool {
    let Ok(mut stream) = tokio::net::UnixStream::connect(path).await else { return false };
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok();
    answer.starts_with("HTTP/1.1 200")
}

/// An upstream that accepts every WebSocket after a short delay, and echoes the bytes.
async fn echo_upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                let open = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
                stream.write_all(open).await.unwrap();
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
            });
        }
    });
    address
}

async fn websocket(socket: &mut RawConnection, token: &str) {
    socket
        .send(format!(
            "GET /t1/hub HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ))
        .await;
    assert_eq!(socket.answer().await.unwrap().status, 101);
}

async fn echoes(socket: &mut RawConnection, word: &[u8; 3]) {
    // The gateway forwards the bytes of a WebSocket unchanged.
    socket.send(word).await;
    let mut back = [0; 3];
    tokio::time::timeout(PATIENCE, socket.0.read_exact(&mut back)).await.expect("it echoes in time").unwrap();
    assert_eq!(&back, word);
}
