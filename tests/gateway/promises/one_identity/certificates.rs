//! Client certificates: the caller that they name, their combination with other credentials, and their validity.

mod bound;
mod reload;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};
use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::support::{Authority, ClientIdentity, PATIENCE, TlsClient, client_config, within};
use crate::wire::origin::Origin;
use crate::wire::testbed::{STRICT, Testbed, TestbedBuilder, until};

const THINGS: &str = "GET /t1/things";

const USERS: &str = "users:\n  stations/alice: { roles: [user], tenants: [t1] }\n";

/// TlsTestbed: a testbed whose listener `secure` requests certificates of the authority `stations`.
struct TlsTestbed {
    testbed: Testbed,
    stations: Authority,
    /// The gateway's own certificate.
    server: String,
}

impl TlsTestbed {
    fn open() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(TestbedBuilder) -> TestbedBuilder) -> Self {
        Self::before(Origin::start(), change)
    }

    fn before(origin: Origin, change: impl FnOnce(TestbedBuilder) -> TestbedBuilder) -> Self {
        let stations = Authority::new("stations");
        let (server, key) = server();
        let builder = Testbed::of(origin, &format!("{STRICT}{USERS}"))
            .with("/listeners", listeners(&json!({ "from": ["stations"] })))
            .with("/client-certificates/stations", json!({ "ca": "ca.pem", "crl": ["stations.crl"] }))
            .file("ca.pem", stations.pem())
            .file("stations.crl", stations.revoking(&[66], 3600))
            .file("chain.pem", server.clone())
            .file("key.pem", key);
        let testbed = change(builder).start();
        until("both listeners are up", || testbed.gateway.log_lines("listening").len() == 2);
        Self { testbed, stations, server }
    }

    fn config(&self, identity: Option<&ClientIdentity>) -> Arc<ClientConfig> {
        client_config(&self.server, identity)
    }

    fn connect(&self, identity: Option<&ClientIdentity>) -> TlsClient {
        TlsClient::connect(self.testbed.gateway.listener("secure"), &self.config(identity))
    }

    /// Status and audit detail of a request on a connection of its own; 0 if the handshake fails.
    fn ask(&self, identity: Option<&ClientIdentity>, headers: &[&str]) -> (u16, Value) {
        self.ask_on(&mut self.connect(identity), headers)
    }

    fn ask_on(&self, client: &mut TlsClient, headers: &[&str]) -> (u16, Value) {
        match client.ask(THINGS, headers) {
            Ok(answer) if answer.status == 401 => (401, self.testbed.record(&answer.decision)["detail"].clone()),
            Ok(answer) => (answer.status, Value::Null),
            Err(_) => (0, Value::Null),
        }
    }

    fn ready(&self) -> Value {
        self.testbed.wait(self.testbed.gateway.admin("/ready")).json()
    }

    fn reloads(&self, what: &str, result: &str) -> f64 {
        let name = format!("portcullis_reloads_total{{api=\"\",result=\"{result}\",what=\"{what}\"}}");
        self.testbed.wait(self.testbed.gateway.metric(&name))
    }
}

/// A self-signed certificate for `noah.test`, and its key.
fn server() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["noah.test".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn listeners(client_certificates: &Value) -> Value {
    let tls = json!({ "certificates": [{ "chain": "chain.pem", "key": "key.pem" }], "client-certificates": client_certificates });
    json!([
        { "address": "127.0.0.1:0", "name": "plain" },
        { "address": "127.0.0.1:0", "name": "secure", "tls": tls },
    ])
}

#[test]
fn a_certificate_names_its_caller_and_client_headers_about_certificates_are_dropped() {
    let tls_testbed = TlsTestbed::open();
    let alice = tls_testbed.stations.client("alice", 1);
    let disguised = [
        "X-Client-Cert: x",
        "X-SSL-Client-Cert: x",
        "X-SSL-Client-S-DN: x",
        "SSL_CLIENT_S_DN: x",
        "ssl-client-verify: x",
        "Client-Cert: x",
        "Client-Cert-Chain: x",
        "X-Forwarded-Client-Cert: x",
        "X-ARR-ClientCert: x",
        "X-Forwarded-Tls-Client-Cert: x",
        "Cf-Client-Cert-Der-Base64: x",
        "X-Amzn-Mtls-Clientcert: x",
    ];
    let mut client = tls_testbed.connect(Some(&alice));
    for _ in 0..2 {
        let answer = client.ask(THINGS, &disguised).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let received = tls_testbed.testbed.origin.last();
        assert_eq!(received.header("x-portcullis-subject").as_deref(), Some("stations/alice"));
        assert!(!received.fields().iter().any(|(_, value)| value == "x"), "{}", received.text());
        let record = tls_testbed.testbed.record(&received.header("x-portcullis-decision").unwrap());
        assert_eq!((&record["proof"], &record["caller"]), (&json!("certificate"), &json!("stations/alice")));
    }
    // An unlisted subject is authenticated and holds no permission.
    let bob = tls_testbed.stations.client("bob", 2);
    assert_eq!(tls_testbed.ask(Some(&bob), &[]).0, 403);
    // Without a certificate, a token works as on any listener, and no credential means no caller.
    assert_eq!(tls_testbed.ask(None, &[&tls_testbed.testbed.bearer(&["user"])]).0, 200);
    assert_eq!(tls_testbed.ask(None, &[]), (401, json!("no-credential")));
    assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("client:app", 3)), &[]), (401, json!("reserved-id")));
    assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("", 3)), &[]), (401, json!("no-id")));
}

#[test]
fn a_certificate_names_its_caller_over_http2() {
    let tls_testbed = TlsTestbed::open();
    let identity = tls_testbed.stations.client("alice", 1);
    tls_testbed.testbed.wait(async {
        let mut config = ClientConfig::clone(&tls_testbed.config(Some(&identity)));
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = tokio::net::TcpStream::connect(tls_testbed.testbed.gateway.listener("secure")).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("noah.test").unwrap();
        let stream = pingora::tls::TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { connection.await.ok() });
        let mut status = async || {
            let request = Request::get("https://noah.test/t1/things").body(Empty::<Bytes>::new()).unwrap();
            sender.ready().await.unwrap();
            sender.send_request(request).await.unwrap().status().as_u16()
        };
        assert_eq!(status().await, 200);
        assert_eq!(tls_testbed.testbed.origin.last().header("x-portcullis-subject").as_deref(), Some("stations/alice"));
        tls_testbed.testbed.env.write("stations.crl", &tls_testbed.stations.revoking(&[1], 3600));
        within(PATIENCE, "the open connection is refused", async || (status().await == 401).then_some(())).await;
    });
}

#[test]
fn an_untrusted_certificate_fails_the_handshake_and_does_not_count_as_none() {
    let tls_testbed = TlsTestbed::open();
    let other = Authority::new("stations");
    let serving = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    let key = KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
    let table = [
        ("of an authority with the same name", other.client("alice", 1)),
        ("expired", tls_testbed.stations.expiring("alice", 1, -5)),
        ("for servers", tls_testbed.stations.signed("alice", 1, serving)),
        ("revoked", tls_testbed.stations.client("alice", 66)),
        ("of its own authority", ClientIdentity { chain: own, key: key.serialize_pem() }),
    ];
    let token = tls_testbed.testbed.bearer(&["user"]);
    for (what, identity) in &table {
        for (line, headers) in [(THINGS, vec![]), (THINGS, vec![&*token]), ("GET /open", vec![])] {
            assert!(tls_testbed.connect(Some(identity)).ask(line, &headers).is_err(), "{what}: {line}");
        }
    }
    assert_eq!(tls_testbed.testbed.origin.count(), 0);
    assert_eq!(tls_testbed.connect(None).ask("GET /open", &[]).unwrap().status, 200);
}

#[test]
fn where_certificates_are_required_a_client_without_one_is_refused() {
    let client_certificates = json!({ "from": ["stations"], "required": true });
    let tls_testbed = TlsTestbed::with(|builder| builder.with("/listeners", listeners(&client_certificates)));
    assert!(tls_testbed.connect(None).ask("GET /open", &[&tls_testbed.testbed.bearer(&["user"])]).is_err());
    assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("alice", 1)), &[]).0, 200);
}

#[test]
fn a_certificate_beside_a_token_is_refused_until_the_settings_say_which_counts() {
    let tls_testbed = TlsTestbed::open();
    let (alice, token) = (tls_testbed.stations.client("alice", 1), tls_testbed.testbed.bearer(&["user"]));
    let both = (401, json!("certificate-beside-token"));
    assert_eq!(tls_testbed.ask(Some(&alice), &[&token]), both);
    assert_eq!(tls_testbed.ask(Some(&alice), &["Authorization: Bearer a.b.c"]), both);
    assert_eq!(tls_testbed.ask(Some(&alice), &[&token, &token]), (401, json!("several-credentials")));
    let answer = tls_testbed.connect(Some(&alice)).ask("GET /t1/things?access_token=a.b.c", &[]).unwrap();
    assert_eq!(tls_testbed.testbed.record(&answer.decision)["detail"], "several-credentials");
    assert_eq!(tls_testbed.testbed.origin.count(), 0);

    let named = |tls_testbed: &TlsTestbed, headers: &[&str]| {
        assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("alice", 1)), headers).0, 200);
        let received = tls_testbed.testbed.origin.last();
        (received.header("x-portcullis-subject").unwrap(), received.header("authorization").is_some())
    };
    let tls_testbed = TlsTestbed::with(|builder| builder.with("api/caller", json!("certificate")));
    let token = tls_testbed.testbed.bearer(&["user"]);
    assert_eq!(named(&tls_testbed, &[&token]), ("stations/alice".to_owned(), false), "the token goes no further");
    assert_eq!(tls_testbed.ask(None, &[&token]).0, 200);

    let tls_testbed = TlsTestbed::with(|builder| builder.with("api/caller", json!("token")));
    let token = tls_testbed.testbed.bearer(&["user"]);
    assert_eq!(named(&tls_testbed, &[&token]), ("test/alice".to_owned(), true));
    assert_eq!(named(&tls_testbed, &[]), ("stations/alice".to_owned(), false));
    let alice = tls_testbed.stations.client("alice", 1);
    let bad = tls_testbed.ask(Some(&alice), &["Authorization: Bearer a.b.c"]);
    assert_eq!(bad, (401, json!("malformed-token")), "the certificate does not step in for a bad token");

    let tls_testbed = TlsTestbed::with(|builder| builder.with("api/client-certificates", json!([])).policy(USERS, ""));
    let token = tls_testbed.testbed.bearer(&["user"]);
    assert_eq!(named(&tls_testbed, &[&token]), ("test/alice".to_owned(), true));
    assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("alice", 1)), &[]), (401, json!("no-credential")));
    assert!(tls_testbed.connect(Some(&tls_testbed.stations.client("alice", 66))).ask("GET /open", &[]).is_err());
}

#[test]
fn one_authority_cannot_name_the_callers_of_another() {
    let doctors = Authority::new("doctors");
    let file = doctors.pem();
    let two = |builder: TestbedBuilder| {
        builder
            .with("/client-certificates/doctors", json!({ "ca": "doctors.pem", "service-apps": ["sync"] }))
            .file("doctors.pem", file)
            .with("/listeners", listeners(&json!({ "from": ["stations", "doctors"] })))
    };
    let tls_testbed = TlsTestbed::with(|builder| two(builder).with("/issuers", json!({})));
    assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("alice", 1)), &[]).0, 200);
    // The same name under another authority is another caller, who has no role.
    let answer = tls_testbed.connect(Some(&doctors.client("alice", 66))).ask(THINGS, &[]).unwrap();
    let record = tls_testbed.testbed.record(&answer.decision);
    assert_eq!((answer.status, &record["caller"]), (403, &json!("doctors/alice")));
    let answer = tls_testbed.connect(Some(&doctors.client("sync", 2))).ask(THINGS, &[]).unwrap();
    assert_eq!(tls_testbed.testbed.record(&answer.decision)["caller_kind"], "service");

    let doctors = Authority::new("doctors");
    let file = doctors.pem();
    let tls_testbed = TlsTestbed::with(|builder| {
        builder
            .with("/client-certificates/doctors", json!({ "ca": "doctors.pem" }))
            .file("doctors.pem", file)
            .with("/listeners", listeners(&json!({ "from": ["stations", "doctors"] })))
            .with("api/client-certificates", json!(["stations"]))
    });
    assert_eq!(tls_testbed.ask(Some(&doctors.client("alice", 1)), &[]), (401, json!("certificate-untrusted")));
    assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("alice", 1)), &[]).0, 200);
}
