//! Orthanc with DICOMweb behind the gateway, with the published settings and policy, driven by two DICOM clients.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, finish, installed, script};
use super::servers::{each, exchange, get, make_overrides, make_spellings, shown, times};
use crate::support::{Answer, Client, Gateway, PATIENCE, now, within};
use crate::wire::client::find;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
const PASSWORD: &str = "a password that callers never learn";
const SECRET: &str = "a secret of at least thirty-two bytes";
const STUDY: &str = "1.2.826.0.1.3680043.10.1339.1";

/// OrthancTestbed: Orthanc with empty storage, and the gateway in front of it.
struct OrthancTestbed {
    gateway: Gateway,
    orthanc: Orthanc,
    _folder: TempDir,
}

/// Orthanc: the server itself, which only accepts the gateway's user.
struct Orthanc {
    port: u16,
    _process: Process,
}

impl Orthanc {
    async fn start(folder: &Path) -> Self {
        for _ in 0..3 {
            if let Some(orthanc) = Self::try_start(folder).await {
                return orthanc;
            }
        }
        panic!("Orthanc does not start: {}", std::fs::read_to_string(folder.join("orthanc.log")).unwrap());
    }

    /// `None` if it exits, because another process took the port first.
    async fn try_start(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = json!({
            "Name": "clinic",
            "StorageDirectory": folder.join("storage"),
            "IndexDirectory": folder.join("storage"),
            "TemporaryDirectory": folder,
            "HttpPort": port,
            "DicomServerEnabled": false,
            "RemoteAccessAllowed": false,
            "AuthenticationEnabled": true,
            "RegisteredUsers": { "portcullis": PASSWORD },
            "Plugins": [PLUGIN],
            "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
        });
        std::fs::create_dir_all(folder.join("storage")).unwrap();
        let path = folder.join("orthanc.json");
        std::fs::write(&path, settings.to_string()).unwrap();
        let log = std::fs::File::create(folder.join("orthanc.log")).unwrap();
        let program = if Path::new("/usr/sbin/Orthanc").exists() { "/usr/sbin/Orthanc" } else { "Orthanc" };
        let mut command = Command::new(program);
        command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = Process(command.spawn().expect("Orthanc is missing: tests/run installs it"));
        let started = within(PATIENCE, "Orthanc answers", async || {
            if process.0.try_wait().unwrap().is_some() {
                return Some(false);
            }
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok().then_some(true)
        });
        started.await.then_some(Self { port, _process: process })
    }

    /// Its response to a request that the gateway's user sends directly.
    async fn answer(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(format!("portcullis:{PASSWORD}")));
        let mut all = vec![("authorization", basic.as_str())];
        all.extend(headers);
        Client::connect(([127, 0, 0, 1], self.port).into()).await.send("GET", path, "", &all, "").await
    }

    /// Its own ids of all objects on a level, such as `/studies`.
    async fn ids(&self, level: &str) -> Vec<String> {
        serde_json::from_slice(&self.answer(level, &[]).await.body).unwrap()
    }
}

impl OrthancTestbed {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let orthanc = Orthanc::start(folder.path()).await;
        // The published file, with other addresses.
        let mut settings = std::fs::read_to_string(Path::new(ROOT).join("config/orthanc.yaml")).unwrap();
        for (published, here) in [
            ("127.0.0.1:8080", "127.0.0.1:0"),
            ("127.0.0.1:9901", "127.0.0.1:0"),
            ("127.0.0.1:8042", &format!("127.0.0.1:{}", orthanc.port)),
            ("../policies/", &format!("{ROOT}/policies/")),
        ] {
            assert!(settings.contains(published), "config/orthanc.yaml has no {published}");
            settings = settings.replace(published, here);
        }
        let path = folder.path().join("gateway.yaml");
        std::fs::write(&path, settings).unwrap();
        let gateway = Gateway::spawn_with(&path, |command| {
            command.env("PORTCULLIS_ORTHANC_SECRET", SECRET).env("PORTCULLIS_ORTHANC_PASSWORD", PASSWORD);
        });
        gateway.wait_until_listening().await;
        gateway.wait_until_ready().await;
        Self { gateway, orthanc, _folder: folder }
    }

    fn address(&self) -> std::net::SocketAddr {
        self.gateway.listener("127.0.0.1:0")
    }

    /// The result of a step of `orthanc.py` through the gateway.
    fn step(&self, role: &str, arguments: &[&str]) -> Value {
        let url = format!("http://{}", self.address());
        let mut command = Command::new(installed("venv/bin/python"));
        command.arg(script("orthanc.py")).args(&arguments[..1]).arg(url).args(&arguments[1..]);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("TOKEN");
        if !role.is_empty() {
            command.env("TOKEN", token(role));
        }
        let finished = finish(&mut command);
        assert!(finished.success, "{arguments:?}: {finished:?}");
        finished.json()
    }

    /// The status and the reason of a step that the gateway refuses.
    fn refused(&self, role: &str, arguments: &[&str]) -> (u64, String) {
        let result = self.step(role, arguments);
        let problem: Value = serde_json::from_str(result["body"].as_str().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{arguments:?} as `{role}`: {error}: {result}"));
        let kind = problem["type"].as_str().unwrap_or_else(|| panic!("not ours: {result}"));
        (result["status"].as_u64().unwrap(), kind.rsplit(['/', ':']).next().unwrap().to_owned())
    }

    fn store(&self) {
        assert_eq!(self.step("modality", &["store"]), json!({ "stored": 2, "failed": 0 }));
    }
}

/// An HS256 token (RFC 7515, appendix A.1) of a caller with this role.
fn token(role: &str) -> String {
    let claims = json!({
        "iss": "https://clinic.example", "aud": "orthanc", "sub": format!("some-{role}"),
        "iat": now(), "exp": now() + 600, "roles": [role],
    });
    let [header, claims] =
        [json!({ "alg": "HS256", "typ": "JWT" }), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{claims}");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[tokio::test(flavor = "multi_thread")]
async fn dicomweb_client_stores_finds_and_retrieves_what_its_role_may() {
    let orthanc_testbed = OrthancTestbed::open().await;
    assert_eq!(orthanc_testbed.refused("", &["store"]).0, 401);
    assert_eq!(orthanc_testbed.refused("viewer", &["store"]).0, 403);
    assert_eq!(orthanc_testbed.orthanc.ids("/studies").await, [] as [&str; 0]);

    orthanc_testbed.store();
    assert_eq!(orthanc_testbed.orthanc.ids("/instances").await.len(), 2);

    assert_eq!(orthanc_testbed.refused("", &["query"]).0, 401);
    for step in ["query", "retrieve"] {
        assert_eq!(orthanc_testbed.refused("modality", &[step]).0, 403, "a scanner reads nothing back");
    }
    for reader in ["viewer", "archivist"] {
        assert_eq!(
            orthanc_testbed.step(reader, &["query"]),
            json!({
                "studies": [STUDY],
                "nobody's": 0,
                "series": [format!("{STUDY}.1")],
                "instances": [format!("{STUDY}.1.1"), format!("{STUDY}.1.2")],
            })
        );
        assert_eq!(
            orthanc_testbed.step(reader, &["retrieve"]),
            json!({ "metadata": 2, "patient": "Doe", "whole": 2, "same points": true, "same frame": true })
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pyorthanc_browses_as_far_as_its_role_goes() {
    let orthanc_testbed = OrthancTestbed::open().await;
    orthanc_testbed.store();
    let studies = orthanc_testbed.orthanc.ids("/studies").await;
    let result = orthanc_testbed.step("viewer", &["browse"]);
    assert_eq!(result["studies"], json!(studies));
    assert_eq!(result["found"], json!(studies), "a search by POST reads");
    assert_eq!(result["uid"], json!([STUDY]));
    assert_eq!((&result["patients"], &result["instances"]), (&json!(1), &json!(2)));
    assert!(result["file"].as_u64().unwrap() > 500, "{result}");
    assert_eq!(orthanc_testbed.refused("modality", &["browse"]).0, 403);
    assert_eq!(orthanc_testbed.refused("", &["browse"]).0, 401);

    assert_eq!(orthanc_testbed.refused("viewer", &["system"]).0, 403);
    assert!(orthanc_testbed.step("archivist", &["system"])["version"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_deletes_nothing_and_an_archivist_deletes() {
    let orthanc_testbed = OrthancTestbed::open().await;
    orthanc_testbed.store();
    let studies = orthanc_testbed.orthanc.ids("/studies").await;
    let [study] = studies.as_slice() else { panic!("one study: {studies:?}") };

    for (role, status) in [("viewer", 403), ("modality", 403), ("", 401)] {
        let (refused, reason) = orthanc_testbed.refused(role, &["delete", study]);
        assert_eq!(refused, status, "`{role}`: {reason}");
        assert_eq!(orthanc_testbed.orthanc.ids("/studies").await, studies, "`{role}`");
    }
    assert_eq!(orthanc_testbed.orthanc.ids("/instances").await.len(), 2);

    assert_eq!(orthanc_testbed.step("archivist", &["delete", study]), json!({ "deleted": study }));
    assert_eq!(orthanc_testbed.orthanc.ids("/studies").await, [] as [&str; 0]);

    let written = orthanc_testbed.gateway.lines().join("\n");
    assert!(!written.contains(PASSWORD) && !written.contains(SECRET), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_override_that_orthanc_obeys_gets_no_further_than_the_gateway() {
    let orthanc_testbed = OrthancTestbed::open().await;

    // Orthanc obeys them; otherwise the rest of this test would prove nothing.
    for (query, headers) in [("", &[("X-HTTP-Method-Override", "DELETE")][..]), ("?_method=delete", &[])] {
        orthanc_testbed.store();
        let patient = orthanc_testbed.orthanc.ids("/patients").await.remove(0);
        assert_eq!(orthanc_testbed.orthanc.answer(&format!("/patients/{patient}{query}"), headers).await.status, 200);
        assert_eq!(
            orthanc_testbed.orthanc.ids("/patients").await,
            [] as [&str; 0],
            "a GET with {query}{headers:?} deletes"
        );
    }

    orthanc_testbed.store();
    let patients = orthanc_testbed.orthanc.ids("/patients").await;
    let patient = format!("/patients/{}", patients[0]);
    // A caller who may delete must use the method DELETE too.
    for role in ["viewer", "archivist"] {
        let token = token(role);
        let ask = async |query: &str, headers: &[(&str, &str)]| {
            // Each on a connection of its own, since the gateway closes the connection of a rejected request.
            let mut client = Client::connect(orthanc_testbed.address()).await;
            client.send("GET", &format!("{patient}{query}"), &token, headers, "").await
        };
        assert_eq!(ask("", &[]).await.status, 200);
        for (query, headers) in [
            ("", &[("X-HTTP-Method-Override", "DELETE")][..]),
            ("", &[("x-http-method-override", "delete")]),
            ("", &[("X-HTTP-Method", "DELETE")]),
            ("", &[("X-Method-Override", "DELETE")]),
            ("?_method=delete", &[]),
            ("?_method=DELETE", &[]),
            ("?%5fmethod=delete", &[]),
            ("?a=b&_method=delete", &[]),
            ("?_method=get&_method=delete", &[]),
        ] {
            let answer = ask(query, headers).await;
            assert_eq!(answer.status, 400, "{query}{headers:?} as {role}: {}", answer.text());
            assert!(answer.reason().is_some(), "{query}{headers:?} as {role}: {}", answer.text());
            assert_eq!(orthanc_testbed.orthanc.ids("/patients").await, patients, "{query}{headers:?} as {role}");
        }
        // Names that some servers fold to one of these are dropped before Orthanc sees them.
        for header in ["X_HTTP_Method_Override", "X.HTTP.Method.Override"] {
            ask("", &[(header, "DELETE")]).await;
            assert_eq!(orthanc_testbed.orthanc.ids("/patients").await, patients, "{header} as {role}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orthanc_serves_no_refused_path_under_any_spelling() {
    // A text that only `/system` contains.
    const SECRET: &[u8] = b"\"ApiVersion\"";
    let orthanc_testbed = OrthancTestbed::open().await;
    let targets = make_spellings(&["/system"], &["/studies", "/patients"], 2000 * times());
    let is_disclosed = |answer: &Vec<u8>| find(answer, SECRET).is_some();

    let basic = format!("Basic {}", STANDARD.encode(format!("portcullis:{PASSWORD}")));
    let straight = ([127, 0, 0, 1], orthanc_testbed.orthanc.port).into();
    let disclosed =
        each(&targets, |target| exchange(straight, &get(target, &basic))).iter().filter(|a| is_disclosed(a)).count();
    println!("orthanc: {} spellings, {disclosed} of them open what is refused", targets.len());
    assert!(disclosed >= 20, "only {disclosed} spellings open what is refused: the trial shows nothing");

    let [viewer, archivist] = ["viewer", "archivist"].map(|role| format!("Bearer {}", token(role)));
    let ask = |bytes: &[u8]| exchange(orthanc_testbed.address(), bytes);
    assert!(is_disclosed(&ask(&get(b"/system", &archivist))));
    let answers = each(&targets, |target| ask(&get(target, &viewer)));
    for (target, answer) in targets.iter().zip(&answers) {
        assert!(!is_disclosed(answer), "`{}` opens what is refused", shown(target));
    }
    assert!(answers.iter().any(|answer| answer.starts_with(b"HTTP/1.1 200 ")), "nothing arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn orthanc_deletes_nothing_for_a_viewer() {
    let orthanc_testbed = OrthancTestbed::open().await;
    orthanc_testbed.store();
    let patients = orthanc_testbed.orthanc.ids("/patients").await;
    let patient = format!("/patients/{}", patients[0]);
    let requests = make_overrides("GET", &patient, 500 * times());
    let viewer = format!("Bearer {}", token("viewer"));
    let answers = each(&requests, |request| exchange(orthanc_testbed.address(), &request.bytes(&viewer)));
    assert_eq!(orthanc_testbed.orthanc.ids("/patients").await, patients);
    assert!(answers.iter().any(|answer| answer.starts_with(b"HTTP/1.1 200 ")), "nothing arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_orthanc_has_closed_meanwhile_is_not_used_again() {
    let orthanc_testbed = OrthancTestbed::open().await;
    orthanc_testbed.store();
    let mut client = Client::connect(orthanc_testbed.address()).await;
    for _ in 0..3 {
        assert_eq!(client.get("/studies", &token("viewer")).await.status, 200);
        // Orthanc keeps an idle connection for one second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
}
