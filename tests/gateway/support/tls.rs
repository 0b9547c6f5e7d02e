//! HTTP/1.1 over TLS from blocking code, with a client certificate or without.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use super::{ClientIdentity, PATIENCE};

/// The configuration of a client's handshakes: its trusted certificates, its identity, and its session cache.
pub(crate) fn client_config(trusted: &str, identity: Option<&ClientIdentity>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let Some(identity) = identity else { return Arc::new(config.with_no_client_auth()) };
    let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    Arc::new(config.with_client_auth_cert(chain, key).unwrap())
}

/// TlsClient: one connection.
pub(crate) struct TlsClient(StreamOwned<ClientConnection, TcpStream>);

/// TlsAnswer: a response; a refused handshake is an error instead.
#[derive(Debug)]
pub(crate) struct TlsAnswer {
    pub(crate) status: u16,
    /// The decision's id.
    pub(crate) decision: String,
}

impl TlsClient {
    /// A connection to `at` under the name `noah.test`; the handshake happens with the first request.
    pub(crate) fn connect(at: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let socket = TcpStream::connect(at).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let name = ServerName::try_from("noah.test").unwrap();
        Self(StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), socket))
    }

    /// The response to a request with this request line and these header lines.
    pub(crate) fn ask(&mut self, line: &str, headers: &[&str]) -> io::Result<TlsAnswer> {
        let mut text = format!("{line} HTTP/1.1\r\nHost: noah.test\r\n");
        headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
        self.0.write_all(format!("{text}\r\n").as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.byte()?);
        }
        let head = String::from_utf8(head).unwrap();
        let field = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let length = field("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(TlsAnswer { status, decision: field("x-portcullis-decision").unwrap_or_default() })
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// Whether the session was resumed.
    pub(crate) fn is_resumed(&self) -> bool {
        self.0.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The gateway's certificate.
    pub(crate) fn server_certificate(&self) -> Vec<u8> {
        self.0.conn.peer_certificates().unwrap()[0].to_vec()
    }
}
