//! Tests of the admin listener over real sockets.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::audit::Rfc3339Time;

/// FixedStatus: a status that the test sets; the gateway has its own implementation of the trait.
#[derive(Default)]
struct FixedStatus {
    report: Mutex<StatusReport>,
    reloads: AtomicUsize,
}

impl Status for FixedStatus {
    fn report(&self) -> StatusReport {
        self.report.lock().unwrap().clone()
    }

    fn metrics_text(&self) -> String {
        crate::metrics::Metrics::new().render()
    }

    fn diff(&self, api: &str) -> Option<Value> {
        (api == "noah").then(|| json!({ "changes": [] }))
    }

    fn coverage(&self, api: &str) -> Option<crate::metrics::CoverageReport> {
        (api == "noah").then(|| crate::metrics::Coverage::default().tally().report())
    }

    fn candidate(&self, api: &str) -> Option<crate::metrics::ComparisonReport> {
        (api == "noah").then(|| crate::metrics::Metrics::new().new_comparison(api).report())
    }

    fn rollback(&self, api: &str) -> Option<Rollback> {
        let mut report = self.report.lock().unwrap();
        let live = report.apis.iter_mut().find(|known| *known.name == *api)?;
        match live.withdrawn.replace("5d41".into()) {
            Some(_) => Some(Rollback::Nothing),
            None => Some(Rollback::Live(live.policy.clone().unwrap())),
        }
    }

    fn reload(&self) {
        self.reloads.fetch_add(1, Ordering::SeqCst);
    }
}

fn healthy() -> StatusReport {
    let policy = LivePolicy {
        name: "noah-es".into(),
        hash: "5d41".into(),
        since: Rfc3339Time(UNIX_EPOCH),
        shadow: ShadowMode::Off,
    };
    StatusReport {
        draining: false,
        apis: vec![ApiStatus {
            name: "noah".into(),
            policy: Some(policy),
            candidate: None,
            refused: None,
            withdrawn: None,
        }],
        certificates: Vec::new(),
        issuers: vec![IssuerStatus {
            name: "hospital".into(),
            state: KeysState::Available,
            keys: 2,
            since: Some(Rfc3339Time(UNIX_EPOCH)),
            error: None,
        }],
        audit: AuditStatus::default(),
    }
}

/// Running: an admin listener in a thread, which ends when the value is dropped.
struct Running {
    address: Option<SocketAddr>,
    status: Arc<FixedStatus>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(plan: AdminPlan) -> Self {
        let admin = AdminListener::bind(plan).unwrap();
        let address = admin.address();
        let status = Arc::new(FixedStatus { report: Mutex::new(healthy()), ..FixedStatus::default() });
        let (stop, stopped) = oneshot::channel();
        let served: Arc<dyn Status> = status.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(admin.serve(served, async {
                stopped.await.ok();
            }));
        });
        Self { address, status, stop: Some(stop), thread: Some(thread) }
    }

    fn ask(&self, request: &str) -> ReceivedResponse {
        let mut stream = TcpStream::connect(self.address.unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        ReceivedResponse::read(stream)
    }

    fn get(&self, path: &str) -> ReceivedResponse {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take().unwrap().send(()).ok();
        self.thread.take().unwrap().join().unwrap();
    }
}

struct ReceivedResponse {
    status: u16,
    head: String,
    body: String,
}

impl ReceivedResponse {
    fn read(mut stream: impl Read) -> Self {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        Self { status: head[9..12].parse().unwrap(), head: head.to_lowercase(), body: body.into() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn loopback() -> AdminPlan {
    AdminPlan::new(ListenAddress::Tcp(([127, 0, 0, 1], 0).into()))
}

#[test]
fn live_is_always_ok() {
    let admin = Running::start(loopback());
    *admin.status.report.lock().unwrap() = StatusReport { draining: true, ..StatusReport::default() };
    assert_eq!(admin.get("/live").status, 200);
    assert_eq!(admin.get("/live?x=1").status, 200);
}

#[test]
fn ready_reports_versions_refused_reloads_keys_and_draining() {
    let admin = Running::start(loopback());
    let findings = json!([{ "code": "unknown-key", "file": "noah-es.yaml", "line": 3, "column": 1 }]);
    admin.status.report.lock().unwrap().apis[0].refused =
        Some(RefusedReload { at: Rfc3339Time(UNIX_EPOCH + Duration::from_secs(60)), findings: findings.clone() });
    let answer = admin.get("/ready");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json") && answer.head.contains("no-store"));
    let api = json!({
        "name": "noah",
        "policy": { "name": "noah-es", "hash": "5d41", "since": "1970-01-01T00:00:00.000Z", "shadow": "off" },
        "refused": { "at": "1970-01-01T00:01:00.000Z", "findings": findings },
    });
    let issuer = json!({
        "name": "hospital", "state": "available", "keys": 2, "since": "1970-01-01T00:00:00.000Z", "error": null
    });
    let audit = json!({ "state": "writing", "refuses": false, "since": null, "error": null });
    let expected = json!({
        "ready": true, "draining": false, "apis": [api], "issuers": [issuer], "certificates": [], "audit": audit
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(admin.get("/policy").json(), json!({ "apis": [api] }));
    assert_eq!(admin.get("/apis/noah/diff").json(), json!({ "api": "noah", "diff": { "changes": [] } }));
    assert_eq!(admin.get("/apis/nobody/diff").status, 404);
}

#[test]
fn ready_is_503_while_draining_without_a_policy_and_without_any_keys() {
    let admin = Running::start(loopback());
    let with = |change: &dyn Fn(&mut StatusReport)| {
        let mut report = healthy();
        change(&mut report);
        *admin.status.report.lock().unwrap() = report;
        let answer = admin.get("/ready");
        assert_eq!(answer.json()["ready"], answer.status == 200);
        answer.status
    };
    assert_eq!(with(&|report| report.draining = true), 503);
    assert_eq!(with(&|report| report.audit.state = AuditState::Failing), 200);
    assert_eq!(with(&|report| report.audit.refuses = true), 503);
    assert_eq!(with(&|report| report.apis[0].policy = None), 503);
    assert_eq!(with(&|report| report.apis.clear()), 503);
    assert_eq!(with(&|report| report.issuers[0].state = KeysState::Unavailable), 503);
    assert_eq!(with(&|report| report.issuers[0].state = KeysState::Stale), 200);
    assert_eq!(with(&|report| report.issuers.clear()), 200);
    // An unreachable issuer leaves the gateway ready, except before the first attempt to reach it.
    let down = |report: &mut StatusReport, error: Option<&str>| {
        let error = error.map(Into::into);
        let down = IssuerStatus { state: KeysState::Unavailable, error, ..report.issuers[0].clone() };
        report.issuers.push(down);
    };
    assert_eq!(with(&|report| down(report, Some("connection refused"))), 200);
    assert_eq!(with(&|report| down(report, None)), 503);
}

#[test]
fn metrics_come_in_the_text_format() {
    let admin = Running::start(loopback());
    let answer = admin.get("/metrics");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    assert!(answer.body.contains("\nportcullis_in_flight 0\n"), "{}", answer.body);
}

#[test]
fn a_shadowed_policy_and_a_candidate_are_reported_and_do_not_affect_readiness() {
    let admin = Running::start(loopback());
    let mut report = healthy();
    let live = report.apis[0].policy.as_mut().unwrap();
    live.shadow = ShadowMode::Resources(vec!["Patients".into()]);
    let next = LivePolicy { shadow: ShadowMode::All, ..live.clone() };
    report.apis[0].candidate = Some(CandidateStatus { policy: Some(next), refused: None });
    *admin.status.report.lock().unwrap() = report;
    let answer = admin.get("/ready");
    let api = &answer.json()["apis"][0];
    assert_eq!(answer.status, 200);
    assert_eq!(api["policy"]["shadow"], json!({ "resources": ["Patients"] }));
    assert_eq!((&api["candidate"]["policy"]["shadow"], &api["candidate"]["refused"]), (&json!("all"), &Value::Null));
}

#[test]
fn a_rollback_is_asked_for_with_post_and_goes_one_step() {
    let admin = Running::start(loopback());
    let ask = |method: &str, path: &str| {
        admin.ask(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"))
    };
    assert_eq!(ask("GET", "/apis/noah/rollback").status, 405);
    assert_eq!(ask("POST", "/apis/nobody/rollback").status, 404);
    let done = ask("POST", "/apis/noah/rollback");
    assert_eq!((done.status, &done.json()["policy"]["hash"]), (200, &json!("5d41")));
    let again = ask("POST", "/apis/noah/rollback");
    assert_eq!(again.status, 409);
    assert!(again.json()["detail"].as_str().unwrap().contains("no version before"));
}

#[test]
fn a_web_page_can_ask_for_nothing_on_an_open_admin_listener() {
    let admin = Running::start(loopback());
    let port = admin.address.unwrap().port();
    // A form or a script of any page can send these without a preflight request.
    for (path, origin) in
        [("/reload", "https://evil.example"), ("/reload", "null"), ("/apis/noah/rollback", "http://localhost")]
    {
        let post = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(admin.ask(&post).status, 403, "{path} {origin}");
    }
    assert_eq!(admin.status.reloads.load(Ordering::SeqCst), 0);
    // A page's own name that resolves to this machine: neither reads nor actions are possible.
    for host in
        ["evil.example", "evil.example:9901", "localhost.evil.example", "127.0.0.1.evil.example", "", "a:b:c", "x]"]
    {
        let ask =
            |line: &str| admin.ask(&format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n")).status;
        for path in ["/policy", "/metrics", "/apis/noah/diff"] {
            assert_eq!(ask(&format!("GET {path}")), 421, "{host} {path}");
        }
        assert_eq!(ask("POST /reload"), 421, "{host}");
        let ready = admin.ask(&format!("GET /ready HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true })), "{host}");
    }
    assert_eq!(admin.status.reloads.load(Ordering::SeqCst), 0);
    for host in
        [format!("127.0.0.1:{port}"), "LOCALHOST:1".into(), "[::1]:9901".into(), "[::1]".into(), "10.0.0.1".into()]
    {
        assert_eq!(admin.ask(&format!("GET /policy HTTP/1.1\r\nHost: {host}\r\n\r\n")).status, 200, "{host}");
    }
    // Where a token is required, the token protects: a page has none.
    let admin = Running::start(AdminPlan { token: Some("0123456789abcdef".into()), ..loopback() });
    let get = "GET /policy HTTP/1.1\r\nHost: gateway.example\r\n";
    assert_eq!(admin.ask(&format!("{get}\r\n")).status, 401);
    assert_eq!(admin.ask(&format!("{get}Authorization: Bearer 0123456789abcdef\r\n\r\n")).status, 200);
}

#[test]
fn coverage_and_comparison_are_reported_for_each_api() {
    let admin = Running::start(loopback());
    let coverage = admin.get("/apis/noah/coverage");
    assert_eq!((coverage.status, &coverage.json()["never_used"]), (200, &json!([])));
    let candidate = admin.get("/apis/noah/candidate");
    assert_eq!((candidate.status, &candidate.json()["differences"]), (200, &json!([])));
    for path in ["/apis/other/coverage", "/apis/noah", "/apis/noah/", "/apis/noah/coverage/", "/apis//coverage"] {
        assert_eq!(admin.get(path).status, 404, "{path}");
    }
    let post = admin.ask("POST /apis/noah/coverage HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(post.status, 405);
}

#[test]
fn reload_is_asked_for_by_post_only() {
    let admin = Running::start(loopback());
    assert_eq!(admin.get("/reload").status, 405);
    assert_eq!(admin.status.reloads.load(Ordering::SeqCst), 0);
    let answer = admin.ask("POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!((answer.status, admin.status.reloads.load(Ordering::SeqCst)), (202, 1));
}

#[test]
fn unknown_paths_and_methods_are_problems() {
    let admin = Running::start(loopback());
    for path in ["/", "/live/", "//live", "/LIVE", "/metrics/../live", "/policy/noah"] {
        let answer = admin.get(path);
        assert_eq!((answer.status, answer.json()["status"].as_u64()), (404, Some(404)), "{path}");
        assert!(answer.head.contains("content-type: application/problem+json"));
    }
    for (method, path, allowed) in [("PUT", "/live", "get"), ("POST", "/metrics", "get"), ("GET", "/reload", "post")] {
        let answer = admin.ask(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!((answer.status, answer.json()["title"].as_str()), (405, Some("Method Not Allowed")));
        assert!(answer.head.contains(&format!("allow: {allowed}")), "{}", answer.head);
    }
}

#[test]
fn callers_without_the_token_get_only_the_bare_health() {
    let admin = Running::start(AdminPlan { token: Some("s3cret".into()), ..loopback() });
    let with = |path: &str, header: &str| admin.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n"));
    let wrong = [
        "",
        "Authorization: Bearer s3cre\r\n",
        "Authorization: Bearer s3crets\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Basic s3cret\r\n",
        "Authorization: s3cret\r\n",
        "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n",
    ];
    for header in wrong {
        for path in [
            "/metrics",
            "/policy",
            "/reload",
            "/apis/noah/diff",
            "/apis/noah/coverage",
            "/apis/noah/candidate",
            "/nothing",
        ] {
            let answer = with(path, header);
            assert_eq!(answer.status, 401, "{path} {header}");
            assert!(answer.head.contains("www-authenticate: bearer"));
        }
        assert_eq!(with("/live", header).status, 200);
        let ready = with("/ready", header);
        assert_eq!((ready.status, ready.json()), (200, json!({ "ready": true })));
    }
    for header in ["Authorization: Bearer s3cret\r\n", "authorization: bearer s3cret\r\n"] {
        assert_eq!(with("/metrics", header).status, 200);
        assert_eq!(with("/nothing", header).status, 404);
        assert_eq!(with("/ready", header).json()["apis"][0]["name"], "noah");
    }
    let refused = admin.ask("POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((refused.status, admin.status.reloads.load(Ordering::SeqCst)), (401, 0));
}

#[test]
fn a_unix_socket_is_its_owners_alone_and_goes_with_the_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let plan = AdminPlan::new(ListenAddress::Unix(path.clone()));
    let admin = Running::start(plan.clone());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(ReceivedResponse::read(stream).status, 200);
    let error = AdminListener::bind(plan.clone()).unwrap_err();
    assert!(error.contains("admin.sock") && error.lines().count() == 1, "{error}");
    assert!(UnixStream::connect(&path).is_ok(), "the running listener keeps its socket");
    drop(admin);
    assert!(!path.exists());
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_anything_else_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    let half = path.with_extension(std::process::id().to_string());
    fs::create_dir(&half).unwrap();
    drop(UnixListener::bind(half.join("s")).unwrap());
    drop(Running::start(AdminPlan::new(ListenAddress::Unix(path.clone()))));
    fs::write(&path, "a file").unwrap();
    assert!(AdminListener::bind(AdminPlan::new(ListenAddress::Unix(path.clone()))).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
}

#[test]
fn a_socket_that_another_process_has_taken_over_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let admin = Running::start(AdminPlan::new(ListenAddress::Unix(path.clone())));
    fs::remove_file(&path).unwrap();
    let _next = UnixListener::bind(&path).unwrap();
    drop(admin);
    assert!(path.exists());
}

#[test]
fn an_address_in_use_and_an_open_one_without_a_token_are_one_line_each() {
    let admin = Running::start(loopback());
    let address = admin.address.unwrap();
    let error = AdminListener::bind(AdminPlan::new(ListenAddress::Tcp(address))).unwrap_err();
    assert!(error.contains(&address.to_string()) && error.lines().count() == 1, "{error}");
    for open in ["0.0.0.0:0", "[::]:0", "[::ffff:192.0.2.1]:0"] {
        let plan = AdminPlan::new(ListenAddress::Tcp(open.parse().unwrap()));
        assert!(AdminListener::bind(plan.clone()).unwrap_err().contains("needs a token"), "{open}");
        assert!(AdminListener::bind(AdminPlan { token: Some("".into()), ..plan }).unwrap_err().contains("empty token"));
    }
    assert!(!format!("{:?}", AdminPlan { token: Some("s3cret".into()), ..loopback() }).contains("s3cret"));
}

#[test]
fn clients_that_stall_in_their_header_keep_nobody_out_and_are_cut_soon() {
    let admin = Running::start(loopback());
    let stalled: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(admin.address.unwrap()).unwrap();
            stream.write_all(b"GET /live HTTP/1.1\r\nX: ").unwrap();
            stream
        })
        .collect();
    let begin = Instant::now();
    for _ in 0..40 {
        assert_eq!(admin.get("/live").status, 200);
    }
    assert!(begin.elapsed() < Duration::from_secs(3), "they made room before their time was over");
    let mut silent = TcpStream::connect(admin.address.unwrap()).unwrap();
    for stream in stalled.iter().chain([&silent]) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    }
    let begin = Instant::now();
    silent.read_to_end(&mut Vec::new()).ok();
    assert!(begin.elapsed() < Duration::from_secs(5), "a header has 2 s, not the 10 s of the whole exchange");
}

#[test]
fn slow_clients_are_cut_and_do_not_hold_up_others() {
    let time = Duration::from_millis(400);
    let admin = Running::start(AdminPlan { time, connections: 2, ..loopback() });
    let begin = Instant::now();
    let mut silent = TcpStream::connect(admin.address.unwrap()).unwrap();
    let mut dripping = TcpStream::connect(admin.address.unwrap()).unwrap();
    let mut writer = dripping.try_clone().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let drips = std::thread::spawn(move || {
        for byte in b"GET /live HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'a')) {
            if stopped.load(Ordering::SeqCst) || writer.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    std::thread::sleep(Duration::from_millis(50));
    // Both slots are taken: the oldest connection is closed for this one, and the other one at its deadline.
    assert_eq!(admin.get("/live").status, 200);
    assert!(begin.elapsed() < Duration::from_secs(5));
    for stream in [&mut silent, &mut dripping] {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut rest = Vec::new();
        let cut = stream.read_to_end(&mut rest);
        let still_open = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
        assert!(!cut.is_err_and(|error| still_open(&error)));
        assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
    }
    stop.store(true, Ordering::SeqCst);
    drips.join().unwrap();
}

#[test]
fn large_headers_are_refused() {
    let admin = Running::start(loopback());
    let large = format!("GET /live HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(9000));
    assert_eq!(admin.ask(&large).status, 431);
    let many = format!("GET /live HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: a\r\n".repeat(100));
    assert_eq!(admin.ask(&many).status, 431);
}

#[test]
fn shutdown_ends_an_idle_listener_at_once_and_a_stuck_one_soon() {
    let admin = Running::start(loopback());
    let stuck = TcpStream::connect(admin.address.unwrap()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let begin = Instant::now();
    drop(admin);
    assert!(begin.elapsed() < Duration::from_secs(5));
    drop(stuck);
    let idle = Running::start(loopback());
    let begin = Instant::now();
    drop(idle);
    assert!(begin.elapsed() < Duration::from_millis(900));
}
