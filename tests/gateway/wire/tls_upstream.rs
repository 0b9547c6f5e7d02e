//! An upstream behind TLS: contacted only if its certificate is the one that the settings require.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::client::{ask, request};
use super::origin::{Journal, Origin};
use super::testbed::{Testbed, TestbedBuilder};

/// An origin with a certificate of its own for `noah.internal`, and that certificate as PEM.
fn origin() -> (Origin, String) {
    let made = rcgen::generate_simple_self_signed(vec!["noah.internal".to_owned()]).unwrap();
    let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    (Origin::with_script(move |socket, _: &Journal| serve(socket, &config)), made.cert.pem())
}

/// Answers every request with its target; a client that does not trust the certificate sends none.
fn serve(socket: TcpStream, config: &Arc<ServerConfig>) {
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), socket);
    let mut header = Vec::new();
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() {
        header.push(byte[0]);
        if header.ends_with(b"\r\n\r\n") {
            let line = String::from_utf8_lossy(&header).lines().next().unwrap_or_default().to_owned();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}", line.len());
            if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
                return;
            }
            header.clear();
        }
    }
}

fn builder(origin: Origin, certificate: &str, name: &str) -> TestbedBuilder {
    let url = json!(format!("https://{}", origin.address()));
    let builder = Testbed::strict(origin).with("upstream/url", url).with("upstream/server-name", json!(name));
    builder.with("upstream/ca", json!("./ca.pem")).file("ca.pem", certificate)
}

#[test]
fn a_tls_upstream_is_reached_by_the_name_in_its_certificate() {
    let (origin, certificate) = origin();
    let testbed = builder(origin, &certificate, "noah.internal").start();
    let token = testbed.bearer(&["user"]);
    for _ in 0..2 {
        let answer = ask(testbed.at(), request("GET /t1/things?x=1", &[&token], b""));
        assert_eq!((answer.status, answer.text()), (200, "GET /t1/things?x=1 HTTP/1.1".to_owned()));
    }
}

#[test]
fn a_tls_upstream_with_another_name_or_authority_gets_nothing() {
    let (first, certificate) = origin();
    let (second, _) = origin();
    for (origin, name) in [(first, "other.internal"), (second, "noah.internal")] {
        let testbed = builder(origin, &certificate, name).start();
        let answer = ask(testbed.at(), request("GET /t1/things", &[&testbed.bearer(&["user"])], b""));
        assert_eq!(answer.status, 502, "{name}: {}", answer.text());
        assert_eq!(answer.reason(), "upstream-tls", "{name}");
    }
}
