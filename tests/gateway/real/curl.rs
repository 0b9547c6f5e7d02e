//! curl over HTTP/2, through TLS and with prior knowledge: responses, path spellings, and bodies of any size.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};

use super::process::{JsonProcess, finish, node};
use crate::support::{Gateway, Settings, TestEnvironment};

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

/// Curl: the way in which curl reaches the gateway.
struct Curl {
    /// Scheme, host and port.
    base: String,
    options: Vec<String>,
}

/// CurlAnswer: the response that curl received.
#[derive(Debug)]
struct CurlAnswer {
    /// Status and HTTP version, such as `200 2`.
    status: String,
    /// The header block, in lower case.
    headers: String,
    body: Vec<u8>,
}

impl CurlAnswer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Curl {
    /// HTTP/2 negotiated in the TLS handshake; the certificate is verified against the environment's `ca.pem`.
    fn tls(env: &TestEnvironment, gateway: &Gateway) -> Self {
        let port = gateway.listener("tls").port();
        let ca = env.path("ca.pem").display().to_string();
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

    fn request(&self, env: &TestEnvironment, token: &str, target: &str, more: &[&str]) -> CurlAnswer {
        let headers = env.path("headers");
        let body = env.path("body");
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
            // A response without a body writes no file: the next one must not find the file of this one.
            std::fs::remove_file(&path).ok();
            bytes
        };
        CurlAnswer {
            status: String::from_utf8(finished.stdout).unwrap(),
            headers: String::from_utf8(read(headers)).unwrap().to_lowercase(),
            body: read(body),
        }
    }
}

/// Adds a listener for HTTP/2 over TLS, whose certificate names `gateway.test`, and one for h2c.
fn with_http2(env: &TestEnvironment, settings: Settings) -> Settings {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "an authority of this test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["gateway.test".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    env.write("ca.pem", &ca.pem());
    env.write("chain.pem", &certificate.pem());
    let key_path = env.write("key.pem", &key.serialize_pem());
    // The gateway warns about a private key that other users can read.
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

async fn noah() -> (TestEnvironment, Gateway, [Curl; 2]) {
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&with_http2(&env, env.settings(POLICY))).await;
    let ways = [Curl::tls(&env, &gateway), Curl::prior_knowledge(&gateway)];
    (env, gateway, ways)
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_gets_permits_and_refusals_over_http_2() {
    let (env, _gateway, ways) = noah().await;
    let clinician = env.token(json!({ "roles": ["Level 2"] }));
    for curl in ways {
        let served = env.upstream.journal().total();
        let answer = curl.request(&env, &clinician, PATIENTS, &[]);
        assert_eq!(answer.status, "200 2", "{answer:?}");
        assert!(answer.json().is_array() || answer.json().is_object(), "{answer:?}");
        let received = env.upstream.journal().last().unwrap();
        assert_eq!((received.method.as_str(), received.target.as_str()), ("GET", PATIENTS));
        assert_eq!(received.header("X-Portcullis-Subject"), Some("test/someone"));
        assert_eq!(received.header("Host"), curl.base.split_once("://").map(|(_, authority)| authority));

        let answer = curl.request(&env, &clinician, PATIENTS, &["--head"]);
        assert_eq!(answer.status, "200 2", "{answer:?}");
        assert_eq!(env.upstream.journal().total(), served + 2);

        for (status, token, target, more) in [
            ("401 2", "", PATIENTS, &[][..]),
            ("401 2", "nonsense", PATIENTS, &[]),
            ("403 2", &clinician, "/t2/api/Patients", &[]),
            ("403 2", &clinician, "/t1/api/Patients/Merge", &["--json", "{}"]),
            ("404 2", &clinician, "/t1/api/Nowhere", &[]),
            ("405 2", &clinician, PATIENTS, &["--request", "PATCH"]),
        ] {
            let answer = curl.request(&env, token, target, more);
            assert_eq!(answer.status, status, "{target}: {answer:?}");
            assert!(answer.headers.contains("\ncontent-type: application/problem+json\r\n"), "{target}: {answer:?}");
            assert!(answer.headers.contains("\nx-portcullis-decision: "), "{target}: {answer:?}");
            assert_eq!(
                answer.headers.contains("\nwww-authenticate: bearer"),
                status == "401 2",
                "{target}: {answer:?}"
            );
            let number: u16 = status.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(answer.json()["status"], number, "{target}: {answer:?}");
        }
        assert_eq!(env.upstream.journal().total(), served + 2, "no refused request is forwarded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_path_is_no_way_around() {
    let (env, gateway, [tls, prior]) = noah().await;
    let manager = env.token(json!({ "roles": ["Records manager"] }));
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
            let answer = curl.request(&env, &manager, target, &["--path-as-is"]);
            assert_eq!(answer.status, format!("400 {version}"), "{target}: {answer:?}");
        }
        assert_eq!(env.upstream.journal().total(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_size_pass_unchanged_in_both_directions() {
    const LENGTH: usize = 48 << 20;
    let upstream = JsonProcess::start(&mut node("bulk.js"));
    let address: SocketAddr = upstream.read_line()["address"].as_str().unwrap().parse().unwrap();
    let env = TestEnvironment::set().await;
    env.write("bulk.yaml", BULK);
    let settings = Settings::new(&env.issuer.url()).api("bulk", "bulk.yaml", address);
    let gateway = env.serve(&with_http2(&env, settings)).await;
    let token = env.token(json!({ "permissions": ["Use files"] }));

    // No two blocks of the file are the same.
    let file: Vec<u8> = (0..LENGTH as u32 / 4).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &file);
    let mut sha256 = String::new();
    digest.as_ref().iter().for_each(|byte| write!(sha256, "{byte:02x}").unwrap());
    let path = env.path("file");
    std::fs::write(&path, &file).unwrap();
    let path = path.display().to_string();

    for curl in [Curl::tls(&env, &gateway), Curl::prior_knowledge(&gateway)] {
        // With a Content-Length, and without: then the end is an empty DATA frame.
        for how in [&["--upload-file", &path][..], &["--header", "Content-Length:", "--upload-file", &path]] {
            let answer = curl.request(&env, &token, "/bulk", how);
            assert_eq!(answer.status, "200 2", "{how:?}: {answer:?}");
            assert_eq!(answer.json(), json!({ "bytes": LENGTH, "sha256": sha256 }), "{how:?}");
        }
        let data = format!("@{path}");
        let octets = ["--header", "Content-Type: application/octet-stream", "--data-binary", &data];
        let answer = curl.request(&env, &token, "/bulk", &octets);
        assert_eq!(answer.json(), json!({ "bytes": LENGTH, "sha256": sha256 }), "{answer:?}");

        let answer = curl.request(&env, &token, &format!("/bulk?bytes={LENGTH}"), &[]);
        assert_eq!(answer.status, "200 2");
        assert_eq!(answer.body.len(), LENGTH);
        assert!(answer.body.iter().enumerate().all(|(at, byte)| *byte == (at >> 16) as u8), "every block in its place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_that_is_refused_gets_its_answer_over_http_2() {
    let (env, _gateway, ways) = noah().await;
    let bodies = [70_000, 300_000, 3_000_000].map(|size| {
        let path = env.write(&format!("upload-{size}"), &"x".repeat(size));
        format!("@{}", path.display())
    });
    for curl in ways {
        for body in bodies.iter().cycle().take(15) {
            let answer = curl.request(&env, "", PATIENTS, &["--data-binary", body]);
            assert_eq!(answer.status, "401 2", "{answer:?}");
        }
    }
}
