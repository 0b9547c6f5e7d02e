//! Disk failures: a disk that is full, becomes full, is read-only or does not respond, and the effect on requests.

use std::path::PathBuf;
use std::process::Stdio;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_lossless_requests_are_refused_and_nothing_is_forwarded() {
    let (env, upstream) = set().await;
    let config = env.write("gateway.yaml", &settings(&env, &upstream, "lossless").text());
    let gateway = Gateway::spawn_with(&config, |command| limit_file_size(command, 0, &config));
    gateway.wait_until_listening().await;
    let token = reader(&env);
    for (method, path, headers) in [
        ("GET", "/t1/notes", &[][..]),
        ("POST", "/t1/notes", &[]),
        ("GET", "/nowhere", &[]),
        ("OPTIONS", "/t1/notes", &[("origin", "https://app.example"), ("access-control-request-method", "POST")]),
    ] {
        let answer = Client::connect(gateway.address()).await.send(method, path, &token, headers, "").await;
        assert_eq!((answer.status, answer.reason().as_deref()), (503, Some("audit-unavailable")), "{method} {path}");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    assert_eq!(upstream.requests(), []);
    let answer = Client::connect(gateway.address()).await.get("/t1/fast", &token).await;
    assert_eq!(answer.status, 200, "a fast route goes on");
    assert_reports_failure(&gateway, true).await;
    let metric = "portcullis_decisions_total{api=\"noah\",operation=\"\",reason=\"audit-unavailable\",resource=\"\",verdict=\"refuse\"}";
    within(PATIENCE, "it is counted", async || (gateway.metric(metric).await == 4.0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_requests_continue_if_the_settings_say_so_and_it_is_reported() {
    let (env, upstream) = set().await;
    let settings = settings(&env, &upstream, "lossless").with("/audit/on-failure", json!("continue"));
    let config = env.write("gateway.yaml", &settings.text());
    let gateway = Gateway::spawn_with(&config, |command| limit_file_size(command, 0, &config));
    gateway.wait_until_listening().await;
    gateway.wait_until_ready().await;
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get("/t1/notes", &reader(&env)).await.status, 200);
    assert_eq!(client.send("POST", "/t1/notes", &reader(&env), &[], "").await.status, 403);
    assert_reports_failure(&gateway, false).await;
    assert!(!gateway.log_lines("audit records were lost; the numbers count since the start").is_empty());
}

/// Limits the gateway's file size to `blocks`, which needs no privileges.
fn limit_file_size(command: &mut Command, blocks: u32, config: &Path) {
    let script = format!("ulimit -f {blocks}; exec \"$0\" serve --config \"$1\"");
    *command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_portcullis")]).arg(config);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// SmallDisk: a small file system that is unmounted with its handle; `None` if this user may not mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn make(env: &TestEnvironment, options: &str) -> Option<Self> {
        let path = env.path("disk");
        std::fs::create_dir_all(&path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

/// As root on a disk of 256 KiB, which another process fills and empties.
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_refused_while_a_disk_is_full_and_resume_by_themselves() {
    let (env, upstream) = set().await;
    let Some(disk) = SmallDisk::make(&env, "size=256k") else { return };
    let settings = settings(&env, &upstream, "lossless").with("/audit/to", json!(disk.0.join("audit.jsonl")));
    let mut gateway = env.serve(&settings).await;
    let token = reader(&env);
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    for _ in 0..2 {
        std::fs::write(disk.0.join("somebody-else"), vec![7; 1 << 20]).unwrap_err();
        within(PATIENCE, "it is refused", async || (client.get("/t1/notes", &token).await.status == 503).then_some(()))
            .await;
        let reached = upstream.requests().len();
        assert_eq!(client.get("/t1/notes", &token).await.reason().as_deref(), Some("audit-unavailable"));
        assert_eq!(upstream.requests().len(), reached);
        assert_reports_failure(&gateway, true).await;
        std::fs::remove_file(disk.0.join("somebody-else")).unwrap();
        gateway.wait_until_ready().await;
        assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    }
    gateway.signal("TERM");
    gateway.wait_for_exit(PATIENCE).await;
    let report = verify_intact(&disk.0);
    assert_eq!(report["last_segment"], 3, "{report:#}");
    assert!(report["lost"].as_u64().unwrap() >= 4, "the file tells of them: {report:#}");
}

/// A limit on the file size, which needs no privileges; renaming the file is the cure.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_grow_any_more_refuses_until_it_is_renamed() {
    let (env, upstream) = set().await;
    let (settings, folder) = with_audit_folder(&env, settings(&env, &upstream, "lossless"));
    let config = env.write("gateway.yaml", &settings.text());
    let mut gateway = Gateway::spawn_with(&config, |command| {
        limit_file_size(command, 64, &config);
    });
    gateway.wait_until_listening().await;
    gateway.wait_until_ready().await;
    let token = reader(&env);
    let mut client = Client::connect(gateway.address()).await;
    let mut permitted = 0;
    for _ in 0..200 {
        match client.get("/t1/notes", &token).await.status {
            200 => permitted += 1,
            status => {
                assert_eq!(status, 503);
                break;
            }
        }
    }
    assert!((1..200).contains(&permitted), "{permitted}");
    assert_eq!(upstream.requests().len(), permitted);
    assert_reports_failure(&gateway, true).await;
    std::fs::rename(folder.join("audit.jsonl"), folder.join("audit.jsonl.1")).unwrap();
    gateway.signal("HUP");
    gateway.wait_until_ready().await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    gateway.signal("TERM");
    gateway.wait_for_exit(PATIENCE).await;
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first["lost"].as_u64().unwrap() > 0, "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_to_ends_the_start_with_a_message() {
    let (env, upstream) = set().await;
    let disk = SmallDisk::make(&env, "size=64k,ro");
    let folder = env.path("disk");
    if disk.is_none() {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o500);
        std::fs::set_permissions(&folder, mode).unwrap();
    }
    let settings = settings(&env, &upstream, "lossless").with("/audit/to", json!(folder.join("audit.jsonl")));
    let mut gateway = Gateway::spawn(&env.write("gateway.yaml", &settings.text()));
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(1));
    let lines = gateway.lines().join("\n");
    assert!(lines.contains("the audit records cannot be written"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lossless_to_what_is_no_file_on_a_disk_ends_the_start_with_its_path() {
    let (env, upstream) = set().await;
    let pipe = env.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (to, message) in [
        ("/dev/null".to_owned(), "`audit: lossless` needs a file on a disk, and `/dev/null` is none"),
        (pipe.display().to_string(), "this pipe has no reader"),
    ] {
        let settings = settings(&env, &upstream, "lossless").with("/audit/to", json!(to));
        let mut gateway = Gateway::spawn(&env.write("gateway.yaml", &settings.text()));
        assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(1));
        let lines = gateway.lines().join("\n");
        assert!(lines.contains(message) && lines.contains(&to), "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_or_folder_that_goes_away_refuses_until_it_is_back() {
    let (env, upstream) = set().await;
    let (settings, folder) = with_audit_folder(&env, settings(&env, &upstream, "lossless"));
    let gateway = env.serve(&settings).await;
    let token = reader(&env);
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    std::fs::remove_file(folder.join("audit.jsonl")).unwrap();
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    assert!(text.contains("\"why\":\"deleted\"") && text.contains("\"record\":\"decision\""), "{text}");
    let aside = env.path("aside");
    std::fs::rename(&folder, &aside).unwrap();
    assert_eq!(client.get("/t1/notes", &token).await.reason().as_deref(), Some("audit-unavailable"));
    assert_reports_failure(&gateway, true).await;
    std::fs::rename(&aside, &folder).unwrap();
    gateway.wait_until_ready().await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
}

#[test]
fn lossless_without_a_file_is_a_finding_at_check() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    let config = folder.path().join("gateway.yaml");
    let check = |policy_text: &str, mode: &str, to: &str| {
        std::fs::write(&policy, policy_text).unwrap();
        let text = format!(
            "version: 1\nlisteners: [{{ address: 127.0.0.1:1 }}]\napis:\n  a:\n    policy: policy.yaml\n    \
             upstream: {{ url: http://127.0.0.1:2 }}\n    audit: {mode}\naudit: {{ to: {to} }}\n"
        );
        std::fs::write(&config, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(["check", "--config"]).arg(&config).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let plain = POLICY.replace(", audit: lossless", "");
    for to in ["stdout", "nowhere"] {
        let (code, text) = check(&plain, "lossless", to);
        assert!(code == Some(1) && text.contains("gateway.yaml:7:12") && text.contains("needs a file"), "{text}");
        let (code, text) = check(POLICY, "fast", to);
        assert!(code == Some(1) && text.contains("policy.yaml:8") && text.contains("needs a file"), "{text}");
    }
    for (policy, mode) in [(POLICY, "lossless"), (POLICY, "fast"), (&plain, "lossless")] {
        let (code, text) = check(policy, mode, "./audit.jsonl");
        assert_eq!(code, Some(0), "{text}");
    }
}
