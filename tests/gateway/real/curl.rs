//! curl over HTTP/2, through TLS and with prior knowledge: answers, spellings, and bodies of any size.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use super::process::{Conversation, finish, node};
use crate::support::{Gateway, Settings, Stage};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/noah-es.yaml");
const PATIENTS: &str = "/t1/api/Patients";
const BULK: &str = "
version: 1
name: bulk
routes:
  /bulk:
    GET:  read Files
    POST: create Files
    PUT:  create Files
resources: [Files]
permissions:
  Use files: { Files: CR }
";

/// Curl: how curl reaches the gateway.
struct Curl {
    /// Scheme, host and port.
    base: String,
    options: Vec<String>,
}

/// Said: what curl saw.
#[derive(Debug)]
struct Said {
    /// Status and version of HTTP, as `200 2`.
    status: String,
    /// The header block, in lower case.
    headers: String,
    body: Vec<u8>,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Curl {
    /// HTTP/2 chosen in the TLS handshake; the certificate is verified against `ca.pem` of the stage.
    fn tls(stage: &Stage, gateway: &Gateway) -> Self {
        let port = gateway.listener("tls").port();
        let ca = stage.path("ca.pem").display().to_string();
        let resolve = format!("gateway.test:{port}:127.0.0.1");
        Self {
            base: format!("https://gateway.test:{port}"),
            options: ["--http2", "--cacert", &ca, "--resolve", &resolve].map(str::to_owned).to_vec(),
        }
    }

    /// HTTP/1.1, without TLS.
    fn http1(gateway: &Gateway) -> Self {
        Self { base: format!("http://{}", gateway.address()), options: vec!["--http1.1".to_owned()] }
    }

    /// HTTP/2 from the first byte, without TLS.
    fn prior_knowledge(gateway: &Gateway) -> Self {
        let base = format!("http://{}", gateway.listener("h2c"));
        Self { base, options: vec!["--http2-prior-knowledge".to_owned()] }
    }

    fn say(&self, stage: &Stage, token: &str, target: &str, more: &[&str]) -> Said {
        let headers = stage.path("headers");
        let body = stage.path("body");
        let mut command = Command::new("curl");
        command.args(["--disable", "--silent", "--show-error", "--max-time", "50", "--noproxy", "*", "--globoff"]);
        command.args(["--write-out", "%{http_code} %{http_version}"]).args(&self.options).args(more);
        command.arg("--dump-header").arg(&headers).arg("--output").arg(&body);
        if !token.is_empty() {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        let finished = finish(command.arg(format!("{}{target}", self.base)));
        assert!(finished.success, "{target}: {finished:?}");
        let read = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap_or_default();
            // An answer without a body writes no file: the next one must not find this.
            std::fs::remove_file(&path).ok();
            bytes
        };
        Said {
            status: String::from_utf8(finished.stdout).unwrap(),
            headers: String::from_utf8(read(headers)).unwrap().to_lowercase(),
            body: read(body),
        }
    }
}

/// With a listener for HTTP/2 over TLS, whose certificate names `gateway.test`, and one for h2c.
fn with_http2(stage: &Stage, settings: Settings) -> Settings {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "an authority of this test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["gateway.test".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    stage.write("ca.pem", &ca.pem());
    stage.write("chain.pem", &certificate.pem());
    let key_path = stage.write("key.pem", &key.serialize_pem());
    // A private key that others can read would be worth a complaint.
    std::fs::set_permissions(key_path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    settings.with(
        "/listeners",
        json!([
            { "address": "127.0.0.1:0", "name": "plain" },
            { "address": "127.0.0.1:0", "name": "h2c", "h2c": true },
            { "address": "127.0.0.1:0", "name": "tls",
              "tls": { "certificates": [{ "chain": "chain.pem", "key": "key.pem" }], "http2": true } },
        ]),
    )
}

async fn noah() -> (Stage, Gateway, [Curl; 2]) {
    let stage = Stage::set().await;
    let gateway = stage.serve(&with_http2(&stage, stage.settings(POLICY))).await;
    let ways = [Curl::tls(&stage, &gateway), Curl::prior_knowledge(&gateway)];
    (stage, gateway, ways)
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_permits_and_refusals_over_http_2() {
    let (stage, _gateway, ways) = noah().await;
    let clinician = stage.token(json!({ "roles": ["Level 2"] }));
    for curl in ways {
        let served = stage.upstream.journal().total();
        let said = curl.say(&stage, &clinician, PATIENTS, &[]);
        assert_eq!(said.status, "200 2", "{said:?}");
        assert!(said.json().is_array() || said.json().is_object(), "{said:?}");
        let seen = stage.upstream.journal().last().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", PATIENTS));
        assert_eq!(seen.header("X-Portcullis-Subject"), Some("test/someone"));
        assert_eq!(seen.header("Host"), curl.base.split_once("://").map(|(_, authority)| authority));

        let said = curl.say(&stage, &clinician, PATIENTS, &["--head"]);
        assert_eq!(said.status, "200 2", "{said:?}");
        assert_eq!(stage.upstream.journal().total(), served + 2);

        for (status, token, target, more) in [
            ("401 2", "", PATIENTS, &[][..]),
            ("401 2", "nonsense", PATIENTS, &[]),
            ("403 2", &clinician, "/t2/api/Patients", &[]),
            ("403 2", &clinician, "/t1/api/Patients/Merge", &["--json", "{}"]),
            ("404 2", &clinician, "/t1/api/Nowhere", &[]),
            ("405 2", &clinician, PATIENTS, &["--request", "PATCH"]),
        ] {
            let said = curl.say(&stage, token, target, more);
            assert_eq!(said.status, status, "{target}: {said:?}");
            assert!(said.headers.contains("\ncontent-type: application/problem+json\r\n"), "{target}: {said:?}");
            assert!(said.headers.contains("\nx-portcullis-decision: "), "{target}: {said:?}");
            assert_eq!(said.headers.contains("\nwww-authenticate: bearer"), status == "401 2", "{target}: {said:?}");
            let number: u16 = status.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said.json()["status"], number, "{target}: {said:?}");
        }
        assert_eq!(stage.upstream.journal().total(), served + 2, "no refused request is forwarded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_path_is_no_way_around() {
    let (stage, gateway, [tls, prior]) = noah().await;
    let manager = stage.token(json!({ "roles": ["Records manager"] }));
    for (curl, version) in [(tls, "2"), (prior, "2"), (Curl::http1(&gateway), "1.1")] {
        for target in [
            "/t1/api/Patients/../Users",
            "/t1/api/./Patients",
            "/t1/api/%2e%2e/api/Patients",
            "/t1/api/.%2E/api/Patients",
            "//t1/api/Patients",
            "/t1//api/Patients",
            "/t1/api/Patients%5cMerge",
            "/t1/api%252fPatients",
            "/t1/api/Patients%00",
            "/t1/api/Patients%0d%0aX-Portcullis-Roles:%20BDM",
            "/t1/api/Patients%zz",
            "/t1/api/Patient%ff",
            "/t1/api/Patients/1%2f2",
            "/t1/api/Patients%2fMerge",
            "/t1/api/Patients/..;/Users",
            "/t1/api/Patients/.%2e/Users?x=/../",
            "/../../../t1/api/Users",
        ] {
            let said = curl.say(&stage, &manager, target, &["--path-as-is"]);
            assert_eq!(said.status, format!("400 {version}"), "{target}: {said:?}");
        }
        assert_eq!(stage.upstream.journal().total(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_size_pass_unchanged_in_both_directions() {
    const LENGTH: usize = 48 << 20;
    let upstream = Conversation::start(&mut node("bulk.js"));
    let address: SocketAddr = upstream.hear()["address"].as_str().unwrap().parse().unwrap();
    let stage = Stage::set().await;
    stage.write("bulk.yaml", BULK);
    let settings = Settings::new(&stage.issuer.url()).api("bulk", "bulk.yaml", address);
    let gateway = stage.serve(&with_http2(&stage, settings)).await;
    let token = stage.token(json!({ "permissions": ["Use files"] }));

    // No two blocks of it are the same.
    let file: Vec<u8> = (0..LENGTH as u32 / 4).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &file);
    let mut sha256 = String::new();
    digest.as_ref().iter().for_each(|byte| write!(sha256, "{byte:02x}").unwrap());
    let path = stage.path("file");
    std::fs::write(&path, &file).unwrap();
    let path = path.display().to_string();

    for curl in [Curl::tls(&stage, &gateway), Curl::prior_knowledge(&gateway)] {
        // With its length said first, and without: then the end is an empty DATA frame.
        for how in [&["--upload-file", &path][..], &["--header", "Content-Length:", "--upload-file", &path]] {
            let said = curl.say(&stage, &token, "/bulk", how);
            assert_eq!(said.status, "200 2", "{how:?}: {said:?}");
            assert_eq!(said.json(), json!({ "bytes": LENGTH, "sha256": sha256 }), "{how:?}");
        }
        let data = format!("@{path}");
        let octets = ["--header", "Content-Type: application/octet-stream", "--data-binary", &data];
        let said = curl.say(&stage, &token, "/bulk", &octets);
        assert_eq!(said.json(), json!({ "bytes": LENGTH, "sha256": sha256 }), "{said:?}");

        let said = curl.say(&stage, &token, &format!("/bulk?bytes={LENGTH}"), &[]);
        assert_eq!(said.status, "200 2");
        assert_eq!(said.body.len(), LENGTH);
        assert!(said.body.iter().enumerate().all(|(at, byte)| *byte == (at >> 16) as u8), "every block in its place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_that_is_refused_gets_its_answer_over_http_2() {
    let (stage, _gateway, ways) = noah().await;
    let bodies = [70_000, 300_000, 3_000_000].map(|size| {
        let path = stage.write(&format!("upload-{size}"), &"x".repeat(size));
        format!("@{}", path.display())
    });
    for curl in ways {
        for body in bodies.iter().cycle().take(15) {
            let said = curl.say(&stage, "", PATIENTS, &["--data-binary", body]);
            assert_eq!(said.status, "401 2", "{said:?}");
        }
    }
}
