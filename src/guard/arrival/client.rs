//! Client: what an exchange keeps of an arrival: method, addresses and certificate.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;

use crate::guard::peer_certificate::PeerCertificate;
use crate::settings::Network;

use super::Arrival;

/// The longest method that is kept for the records.
const LONGEST_METHOD: usize = 32;

/// Client: who sent a request, as far as the connection tells, and by which method.
///
/// The default is a connection that has sent no request yet.
#[derive(Default)]
pub struct Client {
    method: String,
    peer: Option<SocketAddr>,
    address: Option<IpAddr>,
    certificate: Option<Arc<PeerCertificate>>,
    is_trusted: bool,
    is_secure: bool,
}

impl Client {
    /// The client of an arrival; a peer in `trusted` is a forwarder, which names the client.
    pub(in crate::guard) fn of(arrival: &Arrival<'_>, trusted: &[Network]) -> Self {
        Self {
            method: arrival.method.chars().take(LONGEST_METHOD).collect(),
            peer: arrival.peer,
            address: client_address(arrival.headers, arrival.peer, trusted),
            certificate: arrival.certificate().map(Arc::clone),
            is_trusted: arrival.peer.is_some_and(|peer| is_trusted(peer.ip(), trusted)),
            is_secure: arrival.tls.is_some(),
        }
    }

    /// The method, cut to 32 characters; empty where no request was received.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The socket's other end.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The client's address, from a trusted forwarder or from the socket.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The certificate that the client showed in its TLS handshake.
    pub fn certificate(&self) -> Option<&Arc<PeerCertificate>> {
        self.certificate.as_ref()
    }

    /// Whether the socket's other end is a trusted forwarder.
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }
}

/// Whether an address belongs to a trusted forwarder.
pub fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address.to_canonical()))
}

/// The client's address: the last one in `X-Forwarded-For` that is no trusted forwarder, if the peer is one.
fn client_address(headers: &HeaderMap, peer: Option<SocketAddr>, trusted: &[Network]) -> Option<IpAddr> {
    let peer = peer?.ip().to_canonical();
    if !is_trusted(peer, trusted) {
        return Some(peer);
    }
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut client = peer;
    for hop in hops.into_iter().rev() {
        // A hop that is no address ends the chain: nothing before it can be trusted.
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        client = address.to_canonical();
        if !is_trusted(client, trusted) {
            break;
        }
    }
    Some(client)
}
