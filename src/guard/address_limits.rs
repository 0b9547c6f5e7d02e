//! Limits of one client address: open connections, and invalid credentials in a minute.

mod connections;
mod failed_credentials;

use std::net::{IpAddr, Ipv6Addr};

pub use connections::{AddressGuard, ConnectionsByAddress};
pub use failed_credentials::FailedCredentials;

/// The address that a client is counted by: an IPv4 address, or the /64 network of an IPv6 address.
fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        four @ IpAddr::V4(_) => four,
    }
}
