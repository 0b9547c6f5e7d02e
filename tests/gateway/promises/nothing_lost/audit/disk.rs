//! Disks that are full, become full, cannot be written to or do not answer, and what becomes of requests then.

use std::path::PathBuf;
use std::process::Stdio;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_lossless_requests_are_refused_and_nothing_is_forwarded() {
    let (stage, witness) = set().await;
    let config = stage.write("gateway.yaml", &settings(&stage, &witness, "lossless").text());
    let gateway = Gateway::spawn_with(&config, |command| limited(command, 0, &config));
    gateway.listening().await;
    let token = reader(&stage);
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
    assert_eq!(witness.seen(), []);
    let answer = Client::connect(gateway.address()).await.get("/t1/fast", &token).await;
    assert_eq!(answer.status, 200, "a fast route goes on");
    says_that_it_fails(&gateway, true).await;
    let metric = "portcullis_decisions_total{api=\"noah\",operation=\"\",reason=\"audit-unavailable\",resource=\"\",verdict=\"refuse\"}";
    within(PATIENCE, "it is counted", async || (gateway.metric(metric).await == 4.0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_they_go_on_where_the_settings_say_so_and_it_is_told() {
    let (stage, witness) = set().await;
    let settings = settings(&stage, &witness, "lossless").with("/audit/on-failure", json!("continue"));
    let config = stage.write("gateway.yaml", &settings.text());
    let gateway = Gateway::spawn_with(&config, |command| limited(command, 0, &config));
    gateway.listening().await;
    gateway.ready().await;
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get("/t1/notes", &reader(&stage)).await.status, 200);
    assert_eq!(client.send("POST", "/t1/notes", &reader(&stage), &[], "").await.status, 403);
    says_that_it_fails(&gateway, false).await;
    assert!(!gateway.logged("audit records were lost; the numbers count since the start").is_empty());
}

/// The gateway where no file may grow beyond so many blocks, which any user may set.
fn limited(command: &mut Command, blocks: u32, config: &Path) {
    let script = format!("ulimit -f {blocks}; exec \"$0\" serve --config \"$1\"");
    *command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_portcullis")]).arg(config);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// A small disk of its own, which goes with the test; `None` where this user may not make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn make(stage: &Stage, options: &str) -> Option<Self> {
        let path = stage.path("disk");
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

/// As root on a disk of 256 KiB, which is filled and emptied by somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_full_refuses_and_when_it_is_back_everything_goes_on_by_itself() {
    let (stage, witness) = set().await;
    let Some(disk) = SmallDisk::make(&stage, "size=256k") else { return };
    let settings = settings(&stage, &witness, "lossless").with("/audit/to", json!(disk.0.join("audit.jsonl")));
    let mut gateway = stage.serve(&settings).await;
    let token = reader(&stage);
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    for _ in 0..2 {
        std::fs::write(disk.0.join("somebody-else"), vec![7; 1 << 20]).unwrap_err();
        within(PATIENCE, "it is refused", async || (client.get("/t1/notes", &token).await.status == 503).then_some(()))
            .await;
        let reached = witness.seen().len();
        assert_eq!(client.get("/t1/notes", &token).await.reason().as_deref(), Some("audit-unavailable"));
        assert_eq!(witness.seen().len(), reached);
        says_that_it_fails(&gateway, true).await;
        std::fs::remove_file(disk.0.join("somebody-else")).unwrap();
        gateway.ready().await;
        assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    }
    gateway.signal("TERM");
    gateway.end(PATIENCE).await;
    let report = sound(&disk.0);
    assert_eq!(report["last_segment"], 3, "{report:#}");
    assert!(report["lost"].as_u64().unwrap() >= 4, "the file tells of them: {report:#}");
}

/// A limit on the size of files, which any user may set; renaming the file is the cure.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_grow_any_more_refuses_until_it_is_renamed() {
    let (stage, witness) = set().await;
    let (settings, folder) = apart(&stage, settings(&stage, &witness, "lossless"));
    let config = stage.write("gateway.yaml", &settings.text());
    let mut gateway = Gateway::spawn_with(&config, |command| {
        limited(command, 64, &config);
    });
    gateway.listening().await;
    gateway.ready().await;
    let token = reader(&stage);
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
    assert_eq!(witness.seen().len(), permitted);
    says_that_it_fails(&gateway, true).await;
    std::fs::rename(folder.join("audit.jsonl"), folder.join("audit.jsonl.1")).unwrap();
    gateway.signal("HUP");
    gateway.ready().await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    gateway.signal("TERM");
    gateway.end(PATIENCE).await;
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first["lost"].as_u64().unwrap() > 0, "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_to_ends_the_start_with_a_message() {
    let (stage, witness) = set().await;
    let disk = SmallDisk::make(&stage, "size=64k,ro");
    let folder = stage.path("disk");
    if disk.is_none() {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o500);
        std::fs::set_permissions(&folder, mode).unwrap();
    }
    let settings = settings(&stage, &witness, "lossless").with("/audit/to", json!(folder.join("audit.jsonl")));
    let mut gateway = Gateway::spawn(&stage.write("gateway.yaml", &settings.text()));
    assert_eq!(gateway.end(PATIENCE).await.code(), Some(1));
    let lines = gateway.lines().join("\n");
    assert!(lines.contains("the audit records cannot be written"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lossless_to_what_is_no_file_on_a_disk_ends_the_start_with_its_path() {
    let (stage, witness) = set().await;
    let pipe = stage.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (to, message) in [
        ("/dev/null".to_owned(), "`audit: lossless` needs a file on a disk, and `/dev/null` is none"),
        (pipe.display().to_string(), "this pipe has no reader"),
    ] {
        let settings = settings(&stage, &witness, "lossless").with("/audit/to", json!(to));
        let mut gateway = Gateway::spawn(&stage.write("gateway.yaml", &settings.text()));
        assert_eq!(gateway.end(PATIENCE).await.code(), Some(1));
        let lines = gateway.lines().join("\n");
        assert!(lines.contains(message) && lines.contains(&to), "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_or_folder_that_goes_away_refuses_until_it_is_back() {
    let (stage, witness) = set().await;
    let (settings, folder) = apart(&stage, settings(&stage, &witness, "lossless"));
    let gateway = stage.serve(&settings).await;
    let token = reader(&stage);
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    std::fs::remove_file(folder.join("audit.jsonl")).unwrap();
    assert_eq!(client.get("/t1/notes", &token).await.status, 200);
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    assert!(text.contains("\"why\":\"deleted\"") && text.contains("\"record\":\"decision\""), "{text}");
    let aside = stage.path("aside");
    std::fs::rename(&folder, &aside).unwrap();
    assert_eq!(client.get("/t1/notes", &token).await.reason().as_deref(), Some("audit-unavailable"));
    says_that_it_fails(&gateway, true).await;
    std::fs::rename(&aside, &folder).unwrap();
    gateway.ready().await;
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
