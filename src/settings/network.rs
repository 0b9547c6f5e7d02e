//! Network: a range of addresses such as `10.0.0.0/8`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reader::SettingsReader;
use crate::document::Node;

/// Network: an address and the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Parses a network (RFC 4632, section 3.1); a bare address is a network of one address.
    ///
    /// # Errors
    ///
    /// A message about what is wrong.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let (address, prefix) = match raw.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (raw, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(format!("`{raw}` is no network such as `10.0.0.0/8` or `fd00::/8`"));
        };
        if address.to_canonical() != address {
            return Err(format!("`{raw}` is an IPv4-mapped IPv6 address: write it as IPv4"));
        }
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => max,
            Some(digits) => match digits.parse::<u8>() {
                Ok(bits) if bits <= max && bits.to_string() == digits => bits,
                _ => return Err(format!("the bits after `/` are between 0 and {max}, not `{digits}`")),
            },
        };
        let network = Self { address: mask_address(address, prefix), prefix };
        if network.address != address {
            return Err(format!("`{raw}` has bits after its prefix: did you mean `{network}`?"));
        }
        Ok(network)
    }

    /// Whether the network contains `address`; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && mask_address(address, self.prefix) == self.address
    }

    /// Whether the network contains every address.
    pub fn holds_all(&self) -> bool {
        self.prefix == 0
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

/// Reads the list under `trusted-proxies`.
pub(super) fn read_networks(node: &Node, reader: &mut SettingsReader<'_>) -> Vec<Network> {
    let items = crate::document::list(node, "`trusted-proxies`", reader.findings).unwrap_or_default();
    let mut networks = Vec::with_capacity(items.len());
    for item in items {
        let Some(raw) = reader.text(item, "a network") else { continue };
        match Network::parse(raw) {
            Ok(network) if network.holds_all() => {
                let message = format!("`{raw}` would let every client choose its own address");
                reader.reject(item, message).help("name the network of your proxies");
            }
            Ok(network) => networks.push(network),
            Err(message) => drop(reader.reject(item, message)),
        }
    }
    networks
}

fn mask_address(address: IpAddr, prefix: u8) -> IpAddr {
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
