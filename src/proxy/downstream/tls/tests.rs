//! Tests of `tls`: real handshakes with certificates made on the spot.

use std::fs;
use std::path::Path;

use pingora::protocols::Ssl;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::tls::{ClientConfig, RootCertStore, TlsConnector};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Writes a certificate of its own authority and its key; `stem` names the files.
pub(in crate::proxy) fn certificate(folder: &Path, stem: &str, names: &[&str]) -> CertificatePlan {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let plan = CertificatePlan { chain: folder.join(format!("{stem}.pem")), key: folder.join(format!("{stem}.key")) };
    fs::write(&plan.chain, made.cert.pem()).unwrap();
    fs::write(&plan.key, made.signing_key.serialize_pem()).unwrap();
    plan
}

/// A client that trusts these certificates and offers these protocols.
pub(in crate::proxy) fn client(trusted: &[&CertificatePlan], alpn: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for plan in trusted {
        roots.add(CertificateDer::from_pem_slice(&fs::read(&plan.chain).unwrap()).unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A resumed session would show the certificate of the first one.
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// One handshake: the certificate that the client has seen, the protocol, and what the server has kept of the client.
async fn handshake(
    tls: &LiveCertificates,
    client: TlsConnector,
    name: &str,
) -> Result<(Vec<u8>, Option<Vec<u8>>, Option<String>), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.acceptor();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let stream = acceptor.tls_handshake(L4Stream::from(socket)).await.ok()?;
        stream.get_ssl_digest()?.extension.get::<HandshakeFacts>().map(|peer| peer.server_name.clone())
    });
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = client.connect(name, socket).await.map_err(|error| error.to_string())?;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().unwrap()[0].to_vec();
    let alpn = session.alpn_protocol().map(<[u8]>::to_vec);
    Ok((shown, alpn, server.await.unwrap().unwrap()))
}

fn der(plan: &CertificatePlan) -> Vec<u8> {
    CertificateDer::from_pem_slice(&fs::read(&plan.chain).unwrap()).unwrap().to_vec()
}

#[tokio::test]
async fn each_client_sees_the_certificate_of_the_name_it_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path(), "first", &["first.test", "other.test"]);
    let second = certificate(folder.path(), "second", &["*.second.test"]);
    let tls = LiveCertificates::load(&TlsPlan {
        certificates: vec![first.clone(), second.clone()],
        h2: false,
        clients: None,
    })
    .unwrap();
    let trusting = || client(&[&first, &second], &[]);
    assert_eq!(handshake(&tls, trusting(), "first.test").await.unwrap().0, der(&first));
    let (shown, _, asked) = handshake(&tls, trusting(), "api.second.test").await.unwrap();
    assert_eq!(shown, der(&second));
    assert_eq!(asked.as_deref(), Some("api.second.test"));
    // The default certificate, which is for another name.
    assert!(handshake(&tls, trusting(), "nobody.test").await.unwrap_err().contains("nobody.test"));
}

#[tokio::test]
async fn http2_is_chosen_where_offered_and_http11_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let plan = certificate(folder.path(), "one", &["one.test"]);
    let offering =
        |h2| LiveCertificates::load(&TlsPlan { certificates: vec![plan.clone()], h2, clients: None }).unwrap();
    let asking = || client(&[&plan], &["h2", "http/1.1"]);
    assert_eq!(handshake(&offering(true), asking(), "one.test").await.unwrap().1.unwrap(), b"h2");
    assert_eq!(handshake(&offering(false), asking(), "one.test").await.unwrap().1.unwrap(), b"http/1.1");
    assert!(handshake(&offering(false), client(&[&plan], &["h2"]), "one.test").await.is_err());
}

#[tokio::test]
async fn a_reload_changes_what_the_next_handshake_shows() {
    let folder = tempfile::tempdir().unwrap();
    let before = certificate(folder.path(), "one", &["one.test"]);
    let tls = LiveCertificates::load(&TlsPlan { certificates: vec![before.clone()], h2: true, clients: None }).unwrap();
    let old = der(&before);
    assert_eq!(tls.reload(), Ok(CertificateReload::Unchanged));
    let old_client = client(&[&before], &[]);
    let after = certificate(folder.path(), "one", &["one.test"]);
    assert_eq!(handshake(&tls, old_client.clone(), "one.test").await.unwrap().0, old);
    assert_eq!(tls.reload(), Ok(CertificateReload::Published));
    assert!(handshake(&tls, old_client, "one.test").await.is_err());
    assert_eq!(handshake(&tls, client(&[&after], &[]), "one.test").await.unwrap().0, der(&after));
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = certificate(folder.path(), "one", &["one.test"]);
    let tls = LiveCertificates::load(&TlsPlan { certificates: vec![plan.clone()], h2: true, clients: None }).unwrap();
    let old = der(&plan);
    let trusting = client(&[&plan], &[]);
    let other = certificate(folder.path(), "other", &["one.test"]);
    let whole = fs::read(&other.chain).unwrap();
    // Half of a new chain, a new chain before its key, nothing at all.
    for broken in [&whole[..whole.len() / 2], &whole[..], b""] {
        fs::write(&plan.chain, broken).unwrap();
        assert!(tls.reload().is_err());
        assert_eq!(handshake(&tls, trusting.clone(), "one.test").await.unwrap().0, old);
    }
    fs::remove_file(&plan.chain).unwrap();
    assert!(tls.reload().is_err());
    assert_eq!(handshake(&tls, trusting, "one.test").await.unwrap().0, old);
}

#[test]
fn what_cannot_be_used_is_refused_with_the_file_to_blame() {
    let folder = tempfile::tempdir().unwrap();
    let one = certificate(folder.path(), "one", &["one.test"]);
    let two = certificate(folder.path(), "two", &["two.test"]);
    let refused = |chain: &Path, key: &Path| {
        let certificates = vec![CertificatePlan { chain: chain.to_owned(), key: key.to_owned() }];
        LiveCertificates::load(&TlsPlan { certificates, h2: true, clients: None }).unwrap_err().to_string()
    };
    let (one_key, two_key) = (one.key.display(), two.key.display());
    let mismatch = format!("`{two_key}`: not the key of the first certificate in `{}`", one.chain.display());
    assert_eq!(refused(&one.chain, &two.key), mismatch);
    assert_eq!(refused(&one.key, &one.key), format!("`{one_key}`: holds no PEM certificate"));
    assert!(
        refused(&one.chain, &one.chain).starts_with(&format!("`{}`: holds no PEM private key", one.chain.display()))
    );
    let absent = folder.path().join("absent");
    assert!(refused(&absent, &one.key).starts_with(&format!("`{}`: cannot read: ", absent.display())));
    let none = LiveCertificates::load(&TlsPlan { certificates: Vec::new(), h2: true, clients: None }).unwrap_err();
    assert_eq!(none.to_string(), "tls without a certificate");
}
