//! Faults of an upstream, a policy file or the system: the responses, the records, and the recovery afterwards.

mod failing_origin;

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::drain::POLICY;
use crate::support::{Client, Gateway, PATIENCE, TestEnvironment, within};
use crate::wire::origin::Origin;
use failing_origin::{UpstreamFault, failing_origin};

async fn environment(origin: &Origin) -> (TestEnvironment, crate::support::Settings) {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let upstream =
        json!({ "url": format!("http://{}", origin.address()), "read-timeout": "1s", "connect-timeout": "1s" });
    let settings = env.settings("policy.yaml").with("/apis/noah/upstream", upstream);
    (env, settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_upstream_fault_is_reported_and_recorded_and_the_next_request_succeeds() {
    let (origin, fault) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let broken = (502, "upstream-broken");
    for (now, (status, word)) in [
        (UpstreamFault::Closes, broken),
        (UpstreamFault::Resets, broken),
        (UpstreamFault::HalfCloses, broken),
        (UpstreamFault::SaysNothing, (504, "upstream-timeout")),
        (UpstreamFault::Garbage, broken),
        (UpstreamFault::LongHeader, broken),
        (UpstreamFault::BadLength, broken),
    ] {
        for method in ["GET", "POST"] {
            *fault.lock().unwrap() = now;
            let answer = Client::connect(gateway.address()).await.send(method, "/t1/notes", &token, &[], "").await;
            assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(word)), "{now:?} {method}");
            let record = env.audit_record(answer.decision().unwrap()).await;
            assert_eq!(
                (&record["failure"], &record["status"]),
                (&json!(word), &json!(status)),
                "{now:?} {method}: {record}"
            );
            *fault.lock().unwrap() = UpstreamFault::None;
            let answer = Client::connect(gateway.address()).await.send(method, "/t1/notes", &token, &[], "").await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "fine"), "behind {now:?} {method}");
        }
    }
    let events = gateway.log_lines("the upstream failed");
    assert!(events.len() >= 2 && events.iter().any(|line| line["left_out"].as_u64() > Some(0)), "{events:?}");
    let metric = "portcullis_upstream_errors_total{api=\"noah\",kind=\"broken\"}";
    assert!(gateway.metric(metric).await >= 12.0, "{}", gateway.admin("/metrics").await.text());
    // After the header no other response is possible: the connection ends before the body does.
    for now in [UpstreamFault::ShortBody, UpstreamFault::StuckBody, UpstreamFault::ResetInBody] {
        *fault.lock().unwrap() = now;
        let received = origin.count();
        let answer = Client::connect(gateway.address()).await.try_send("GET", "/t1/notes", &token, &[], "").await;
        assert!(answer.is_err(), "{now:?}: {answer:?}");
        assert_eq!(origin.count(), received + 1, "{now:?}: what has begun is not asked for again");
        let record = within(PATIENCE, "its record", async || {
            env.audit_records().pop().filter(|last| !last["failure"].is_null())
        })
        .await;
        assert_eq!((&record["status"], &record["upstream_status"]), (&json!(200), &json!(200)), "{now:?}: {record}");
        *fault.lock().unwrap() = UpstreamFault::None;
        assert_eq!(Client::connect(gateway.address()).await.get("/t1/notes", &token).await.text(), "fine", "{now:?}");
        within(PATIENCE, "the last record is the good one's", async || {
            env.audit_records().pop().filter(|last| last["failure"].is_null()).map(|_| ())
        })
        .await;
    }
    *fault.lock().unwrap() = UpstreamFault::Interims;
    assert_eq!(Client::connect(gateway.address()).await.get("/t1/notes", &token).await.text(), "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_responses_reaches_no_client() {
    let (origin, fault) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    *fault.lock().unwrap() = UpstreamFault::TwoAnswers;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Client::connect(gateway.address()).await);
    }
    for turn in 0..40 {
        let answer = clients[turn % 4].try_send("GET", "/t1/notes", &token, &[], "").await;
        match answer {
            Ok(answer) => assert!(!answer.text().contains("STOLEN"), "{answer:?}"),
            Err(_) => clients[turn % 4] = Client::connect(gateway.address()).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_may_have_been_executed_is_not_sent_twice() {
    let (origin, fault) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;
    for now in [
        UpstreamFault::Closes,
        UpstreamFault::Resets,
        UpstreamFault::HalfCloses,
        UpstreamFault::SaysNothing,
        UpstreamFault::Garbage,
    ] {
        // On a pooled connection, which closes after the request has been read.
        *fault.lock().unwrap() = UpstreamFault::None;
        assert_eq!(client.get("/t1/notes", &token).await.status, 200);
        *fault.lock().unwrap() = now;
        let before = origin.count();
        let answer = Client::connect(gateway.address()).await.send("POST", "/t1/notes", &token, &[], "once").await;
        assert!(answer.status >= 502, "{now:?}: {answer:?}");
        assert_eq!(origin.count(), before + 1, "{now:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_down_and_one_that_does_not_answer_are_distinguished_and_may_recover() {
    let (origin, _) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = env.serve(&settings.with("/apis/noah/upstream/url", json!(format!("http://{free}")))).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;
    let answer = client.get("/t1/notes", &token).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (502, Some("upstream-connect")));
    let record = env.audit_record(answer.decision().unwrap()).await;
    assert_eq!((&record["verdict"], &record["failure"]), (&json!("permit"), &json!("upstream-connect")));
    let back = tokio::net::TcpListener::bind(free).await.unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = back.accept().await {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nback").await.ok();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let answer = Client::connect(gateway.address()).await.get("/t1/notes", &token).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_file_in_place_of_a_policy_is_refused_and_delays_nothing() {
    let (origin, _) = failing_origin();
    let (env, settings) = environment(&origin).await;
    env.write("policies/notes.yaml", POLICY);
    let gateway = env.serve(&settings.with("/apis/noah/policy", json!("policies"))).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let hash = gateway.admin("/policy").await.json()["apis"][0]["policy"]["hash"].clone();
    let folder = env.path("policies");
    let shell =
        |text: &str| assert!(Command::new("sh").arg("-c").arg(text).current_dir(&folder).status().unwrap().success());
    for (breaks, mends) in [
        ("mkfifo pipe.yaml", "rm pipe.yaml"),
        ("ln -s /dev/zero zero.yaml", "rm zero.yaml"),
        ("ln -s loop.yaml loop.yaml", "rm loop.yaml"),
        ("ln -s /nowhere gone.yaml", "rm gone.yaml"),
        ("truncate -s 1G large.yaml", "rm large.yaml"),
        ("mkdir folder.yaml", "rmdir folder.yaml"),
        ("printf 'version: 1\\nrou' > half.yaml", "rm half.yaml"),
        ("mv ../policies ../away; touch ../policies", "rm ../policies; mv ../away ../policies"),
    ] {
        shell(breaks);
        gateway.signal("HUP");
        let refused = within(PATIENCE, breaks, async || {
            Some(gateway.admin("/policy").await.json()["apis"][0].clone()).filter(|api| !api["refused"].is_null())
        });
        // A folder with such a name may be ignored, but never read in part.
        if breaks.starts_with("mkdir") {
            tokio::time::timeout(Duration::from_secs(2), refused).await.ok();
        } else {
            refused.await;
        }
        assert_eq!(gateway.admin("/policy").await.json()["apis"][0]["policy"]["hash"], hash, "{breaks}");
        assert_eq!(Client::connect(gateway.address()).await.get("/t1/notes", &token).await.status, 200, "{breaks}");
        assert!(
            Command::new("sh")
                .arg("-c")
                .arg(mends)
                .current_dir(if folder.is_dir() { folder.clone() } else { env.path("away") })
                .status()
                .unwrap()
                .success()
        );
        gateway.signal("HUP");
        within(PATIENCE, mends, async || {
            gateway.admin("/policy").await.json()["apis"][0]["refused"].is_null().then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_open_connections_are_served_and_it_recovers() {
    let (origin, _) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let config = env.write("gateway.yaml", &settings.text());
    let program = env!("CARGO_BIN_EXE_portcullis");
    let limited = format!("ulimit -n 72; exec {program} serve --config {}", config.display());
    let gateway = Gateway::spawn_with(&config, |command| {
        *command = Command::new("sh");
        command.args(["-c", &limited]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    gateway.wait_until_listening().await;
    gateway.wait_until_ready().await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut known = Client::connect(gateway.address()).await;
    assert_eq!(known.get("/t1/notes", &token).await.status, 200);
    let idle: Vec<_> = (0..80).map(|_| TcpStream::connect(gateway.address()).unwrap()).collect();
    let pausing = "cannot accept connections, pausing";
    within(PATIENCE, "it runs out", async || (!gateway.log_lines(pausing).is_empty()).then_some(())).await;
    // An open connection is served, and the gateway uses a pooled connection to the upstream.
    assert_eq!(known.get("/t1/notes", &token).await.status, 200);
    // A policy file that cannot be opened now is not a deleted policy: the live version stays.
    gateway.signal("HUP");
    assert_eq!(known.get("/t1/notes", &token).await.status, 200);
    drop(idle);
    within(PATIENCE, "it recovers", async || {
        let mut client = Client::connect(gateway.address()).await;
        (client.try_send("GET", "/t1/notes", &token, &[], "").await.ok()?.status == 200).then_some(())
    })
    .await;
    gateway.wait_until_ready().await;
    env.write("policy.yaml", &POLICY.replace("CRU", "C"));
    within(PATIENCE, "and reloads", async || (known.get("/t1/notes", &token).await.status == 403).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unwritable_log_does_not_stop_the_gateway() {
    let (origin, _) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for target in ["2>/dev/full", "2>&-", "2>&- <&- >&-"] {
        let (at, admin) = (free(), free());
        let settings = settings.clone().with("/listeners/0/address", json!(at.to_string()));
        let config = env.write("gateway.yaml", &settings.with("/admin/address", json!(admin.to_string())).text());
        let line = format!("exec {} serve --config {} {target}", env!("CARGO_BIN_EXE_portcullis"), config.display());
        let gateway = Gateway::spawn_with(&config, |command| {
            *command = Command::new("sh");
            command.args(["-c", &line]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        within(PATIENCE, target, async || {
            assert!(gateway.exit_status().is_none(), "{target}");
            let mut client = Client::try_connect(admin).await.ok()?;
            (client.try_send("GET", "/ready", "", &[], "").await.ok()?.status == 200).then_some(())
        })
        .await;
        let token = env.token(json!({ "permissions": ["Notes"] }));
        for _ in 0..20 {
            assert_eq!(Client::connect(at).await.get("/t1/notes", &token).await.status, 200, "{target}");
            assert_eq!(Client::connect(at).await.get("/t1/notes", "").await.status, 401, "{target}");
        }
        gateway.signal("HUP");
        gateway.signal("TERM");
        let status = within(PATIENCE, "it ends", async || gateway.exit_status()).await;
        assert_eq!(status.code(), Some(0), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unread_log_pipe_does_not_stop_the_gateway() {
    let (origin, fault) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (at, admin) = (free(), free());
    let settings = settings.with("/listeners/0/address", json!(at.to_string()));
    let config = env.write("gateway.yaml", &settings.with("/admin/address", json!(admin.to_string())).text());
    // The pipe is full before the first line is written, and no process reads it.
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut fill = Command::new("timeout");
    fill.args(["1", "dd", "if=/dev/zero", "bs=4096", "count=32", "status=none"]).stdout(writer.try_clone().unwrap());
    fill.status().unwrap();
    let gateway = Gateway::spawn_with(&config, |command| {
        let line =
            format!("exec {} serve --config {} 2>&0 0</dev/null", env!("CARGO_BIN_EXE_portcullis"), config.display());
        *command = Command::new("sh");
        command.args(["-c", &line]).stdin(writer).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    within(PATIENCE, "it is ready", async || {
        let mut client = Client::try_connect(admin).await.ok()?;
        (client.try_send("GET", "/ready", "", &[], "").await.ok()?.status == 200).then_some(())
    })
    .await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    for _ in 0..300 {
        *fault.lock().unwrap() = UpstreamFault::Garbage;
        assert_eq!(Client::connect(at).await.get("/t1/notes", &token).await.status, 502);
    }
    *fault.lock().unwrap() = UpstreamFault::None;
    assert_eq!(Client::connect(at).await.get("/t1/notes", &token).await.status, 200);
    gateway.signal("HUP");
    gateway.signal("TERM");
    let status = within(PATIENCE, "it ends", async || gateway.exit_status()).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_policy_decides_the_next_request_and_appears_in_every_report() {
    let (origin, _) = failing_origin();
    let (env, settings) = environment(&origin).await;
    let gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;
    let ask =
        async || Client::connect(gateway.admin_address()).await.send("POST", "/apis/noah/rollback", "", &[], "").await;
    let live = async || gateway.admin("/policy").await.json()["apis"][0].clone();
    assert_eq!(ask().await.status, 409);
    let good = live().await["policy"]["hash"].clone();
    env.write("policy.yaml", &POLICY.replace("CRU", "C"));
    within(PATIENCE, "the edit is live", async || (client.get("/t1/notes", &token).await.status == 403).then_some(()))
        .await;
    let bad = live().await["policy"]["hash"].clone();

    let done = ask().await;
    assert_eq!((done.status, &done.json()["policy"]["hash"]), (200, &good));
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    let record =
        within(PATIENCE, "its record", async || env.audit_records().pop().filter(|last| last["status"] == 200)).await;
    assert_eq!(record["policy_hash"], good);
    assert_eq!((&live().await["policy"]["hash"], &live().await["withdrawn"]), (&good, &bad));
    assert_eq!(gateway.admin("/ready").await.json()["apis"][0]["withdrawn"], bad);
    let metric = "portcullis_reloads_total{api=\"noah\",result=\"rolled-back\",what=\"policy\"}";
    assert_eq!(gateway.metric(metric).await, 1.0, "{}", gateway.admin("/metrics").await.text());
    assert_eq!(gateway.log_lines("policy is rolled back: the version before is live until the files change").len(), 1);
    assert_eq!(ask().await.status, 409);
    // An unchanged file is not reported again, whatever triggers the reload and however much time passes.
    gateway.signal("HUP");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    env.write("policy.yaml", &POLICY.replace("CRU", "U"));
    within(PATIENCE, "the next edit is live", async || {
        (client.get("/t1/notes", &token).await.status == 403).then_some(())
    })
    .await;
    assert!(live().await.get("withdrawn").is_none());
}
