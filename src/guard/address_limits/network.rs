//! The network that a client is counted by.

use std::net::{IpAddr, Ipv6Addr};

/// The address that a client is counted by: an IPv4 address, or the /64 network of an IPv6 address.
pub(super) fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        four @ IpAddr::V4(_) => four,
    }
}
