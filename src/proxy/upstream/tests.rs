//! Tests of `upstream`: plans that are refused, names, and real connections with verification.

use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::proxy::downstream::tls::tests::certificate;
use crate::proxy::downstream::tls::{LiveCertificates, TlsPlan};

fn plan(scheme: Scheme, host: &str, port: u16) -> UpstreamPlan {
    let timeouts = Timeouts { connect: Duration::from_millis(500), ..Timeouts::default() };
    let refresh = Duration::from_secs(30);
    UpstreamPlan { scheme, host: host.to_owned(), port, server_name: None, ca_file: None, timeouts, refresh }
}

#[test]
fn an_ip_address_is_ready_at_once_with_every_timeout_set() {
    for (host, address) in [("127.0.0.1", "127.0.0.1:81"), ("::1", "[::1]:81"), ("[::1]", "[::1]:81")] {
        let upstream = Upstream::new(&plan(Scheme::Http, host, 81)).unwrap();
        assert_eq!(upstream.address(), Some(address.parse().unwrap()));
        let peer = upstream.peer().unwrap();
        assert!(!peer.is_tls());
        let options = &peer.options;
        let all = [options.connection_timeout, options.total_connection_timeout, options.read_timeout];
        assert!(all.iter().chain([&options.write_timeout, &options.idle_timeout]).all(Option::is_some));
        assert_eq!(options.alpn, ALPN::H1);
    }
}

#[test]
fn what_could_not_be_verified_is_refused() {
    let refused = |change: fn(&mut UpstreamPlan)| {
        let mut plan = plan(Scheme::Https, "noah.test", 443);
        change(&mut plan);
        Upstream::new(&plan).unwrap_err().to_string()
    };
    assert_eq!(refused(|plan| plan.host = String::new()), "upstream without a host");
    assert_eq!(refused(|plan| plan.server_name = Some(String::new())), "upstream server name `` cannot be verified");
    assert_eq!(
        refused(|plan| plan.server_name = Some("a b".to_owned())),
        "upstream server name `a b` cannot be verified"
    );
    assert!(refused(|plan| plan.ca_file = Some("/nowhere.pem".into())).starts_with("`/nowhere.pem`: cannot read: "));
}

#[test]
fn a_file_without_authorities_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, reason) in [("", "holds no PEM certificate"), (garbage, "not a usable authority")] {
        fs::write(&file, text).unwrap();
        let plan = UpstreamPlan { ca_file: Some(file.clone()), ..plan(Scheme::Https, "noah.test", 443) };
        assert!(Upstream::new(&plan).unwrap_err().to_string().contains(reason));
    }
}

#[tokio::test]
async fn a_name_has_no_peer_until_it_is_resolved() {
    let upstream = Upstream::new(&plan(Scheme::Http, "localhost", 81)).unwrap();
    assert!(upstream.peer().is_none());
    let address = upstream.resolve().await.unwrap();
    assert!(address.ip().is_loopback());
    assert_eq!(upstream.address(), Some(address));
    assert_eq!(upstream.peer().unwrap()._address.as_inet(), Some(&address));
}

#[tokio::test]
async fn a_failed_lookup_keeps_the_address_in_use() {
    let upstream = Upstream::new(&plan(Scheme::Http, "not a name", 81)).unwrap();
    let used = "127.0.0.9:81".parse().unwrap();
    upstream.publish(used);
    assert!(upstream.resolve().await.is_err());
    assert_eq!((upstream.address(), upstream.failures()), (Some(used), 1));
}

#[tokio::test]
async fn resolving_ends_with_the_server() {
    let upstream = Arc::new(Upstream::new(&plan(Scheme::Http, "localhost", 81)).unwrap());
    let (end, shutdown) = tokio::sync::watch::channel(false);
    let resolver = tokio::spawn({
        let resolver = UpstreamResolver(vec![upstream.clone()]);
        async move { resolver.start(shutdown).await }
    });
    let resolved = async {
        while upstream.peer().is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(2), resolved).await.unwrap();
    end.send(true).unwrap();
    timeout(Duration::from_secs(1), resolver).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_private_authority_and_the_right_name_are_both_needed() {
    let folder = tempfile::tempdir().unwrap();
    let served = certificate(folder.path(), "served", &["noah.test"]);
    let other = certificate(folder.path(), "other", &["noah.test"]);
    let tls = LiveCertificates::load(&TlsPlan { certificates: vec![served.clone()], h2: true, clients: None }).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = tls.acceptor();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.tls_handshake(pingora::protocols::l4::stream::Stream::from(socket)).await;
                let Ok(mut stream) = stream else { return };
                while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                    stream.flush().await.unwrap();
                }
            });
        }
    });
    let connector = Connector::new(None);
    // The last one twice: the connection that the first use leaves in the pool serves it, and none of the others.
    for (name, ca, works, pooled) in [
        ("noah.test", &served, true, false),
        ("himsa.test", &served, false, false),
        ("noah.test", &other, false, false),
        ("noah.test", &served, true, true),
    ] {
        let plan = UpstreamPlan {
            server_name: Some(name.to_owned()),
            ca_file: Some(ca.chain.clone()),
            ..plan(Scheme::Https, "127.0.0.1", port)
        };
        let peer = Upstream::new(&plan).unwrap().peer().unwrap();
        let connected = connector.get_http_session(&*peer).await;
        assert_eq!(connected.is_ok(), works, "{name}");
        if let Ok((mut session, reused)) = connected {
            assert_eq!(reused, pooled);
            let request = RequestHeader::build("GET", b"/", None).unwrap();
            session.write_request_header(Box::new(request)).await.unwrap();
            session.read_response_header().await.unwrap();
            assert!(session.read_response_body().await.unwrap().is_none());
            connector.release_http_session(session, &*peer, Some(Duration::from_secs(5))).await;
        }
    }
    // The system's authorities know nothing of this one.
    let plan = UpstreamPlan { server_name: Some("noah.test".to_owned()), ..plan(Scheme::Https, "127.0.0.1", port) };
    let peer = Upstream::new(&plan).unwrap().peer().unwrap();
    assert!(connector.get_http_session(&*peer).await.is_err());
}
