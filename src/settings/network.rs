//! Network: a range of addresses as `10.0.0.0/8` spells it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::value::SettingsReader;
use crate::document::Node;

/// Network: an address and how many of its first bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network that `written` spells (RFC 4632, section 3.1; a bare address is a network of one), or why not.
    pub fn parse(written: &str) -> Result<Self, String> {
        let (address, prefix) = match written.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (written, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(format!("`{written}` is no network such as `10.0.0.0/8` or `fd00::/8`"));
        };
        if address.to_canonical() != address {
            return Err(format!("`{written}` is an IPv4 address in IPv6 clothes: write it as IPv4"));
        }
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) => match digits.parse::<u8>() {
                Ok(bits) if bits <= most && bits.to_string() == digits => bits,
                _ => return Err(format!("the bits behind `/` are between 0 and {most}, not `{digits}`")),
            },
        };
        let network = Self { address: masked(address, prefix), prefix };
        if network.address != address {
            return Err(format!("`{written}` has bits behind its prefix: did you mean `{network}`?"));
        }
        Ok(network)
    }

    /// Whether `address` lies in it; an IPv4 address in IPv6 clothes counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// Whether it holds every address there is.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

/// The list of networks under `trusted-proxies`.
pub(super) fn networks(node: &Node, reading: &mut SettingsReader<'_>) -> Vec<Network> {
    let items = crate::document::list(node, "`trusted-proxies`", reading.findings).unwrap_or_default();
    let mut networks = Vec::with_capacity(items.len());
    for item in items {
        let Some(written) = reading.text(item, "a network") else { continue };
        match Network::parse(written) {
            Ok(network) if network.is_everything() => {
                let message = format!("`{written}` would let every client choose its own address");
                reading.bad(item, message).help("name the network that your proxies stand in");
            }
            Ok(network) => networks.push(network),
            Err(message) => drop(reading.bad(item, message)),
        }
    }
    networks
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests;
