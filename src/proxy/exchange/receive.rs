//! Phase 1: the header is complete. The connection's times are set, and the request becomes an [`Arrival`].

use std::time::Duration;

use pingora::proxy::Session;

use crate::guard::{Arrival, Protocol, TlsFacts};
use crate::proxy::Proxy;
use crate::proxy::downstream::tls::HandshakeFacts;

use super::deadlines::deadlines;

/// How long a connection may take to be drained of a body that nothing reads.
const UNREAD: Duration = Duration::from_secs(5);

impl Proxy {
    /// Sets the times of the connection for this exchange.
    pub(super) fn receive(&self, session: &mut Session) {
        // Pingora takes the idle time from the client's own `Keep-Alive`, or has none: ours replaces it.
        let limits = &self.guard.limits;
        let idle = (!self.draining.is_leaving()).then(|| limits.keep_alive.as_secs().max(1));
        session.set_keepalive(idle);
        session.set_read_timeout(Some(limits.client_timeout));
        session.set_write_timeout(Some(limits.client_timeout));
        session.set_total_drain_timeout(Some(UNREAD));
        // What a client sends behind a complete request is its next request, which is judged on its own.
        session.set_pipelining_enabled(true);
        if let Some(deadlines) = deadlines(session) {
            deadlines.end_header();
        }
    }

    /// The request as the guard takes it; `head` is the header block of HTTP/1.1 as received.
    pub(super) fn arrival<'a>(&'a self, session: &'a Session, head: Option<&'a [u8]>) -> Arrival<'a> {
        let header = session.req_header();
        let digest = session.digest();
        let tls = digest.and_then(|digest| digest.ssl_digest.as_ref());
        let local = session.server_addr().and_then(|address| address.as_inet()).copied();
        Arrival {
            method: header.method.as_str(),
            target: header.raw_path(),
            headers: &header.headers,
            protocol: match header.version {
                http::Version::HTTP_2 => Protocol::Http2 {
                    scheme: header.uri.scheme_str(),
                    authority: header.uri.authority().map(|authority| authority.as_str().as_bytes()),
                },
                _ => Protocol::Http1 { head },
            },
            peer: session.client_addr().and_then(|address| address.as_inet()).copied(),
            tls: tls.map(|tls| TlsFacts {
                certificate: tls.extension.get::<HandshakeFacts>().and_then(|facts| facts.certificate.as_ref()),
            }),
            listener: local.and_then(|local| self.listener(local)).unwrap_or_default(),
        }
    }
}
