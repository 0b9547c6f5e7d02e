//! ConnectionsByAddress: how many connections each client address has open, so that one of them cannot take all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// ConnectionsByAddress: counts of what is open; an address that has nothing open takes no room.
#[derive(Debug, Clone, Default)]
pub struct ConnectionsByAddress(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl ConnectionsByAddress {
    /// A guard that counts as one connection of `address` until it is dropped; `None` where it has `limit` already.
    pub fn enter_below(&self, address: IpAddr, limit: usize) -> Option<AddressGuard> {
        let network = client_network(address);
        let mut open = self.lock();
        let count = open.entry(network).or_default();
        // Who has none open has no entry to be left behind, because no limit is below one.
        if *count >= limit.max(1) {
            return None;
        }
        *count += 1;
        Some(AddressGuard { open: self.clone(), network })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// AddressGuard: one open connection of an address.
#[derive(Debug)]
pub struct AddressGuard {
    open: ConnectionsByAddress,
    network: IpAddr,
}

impl Drop for AddressGuard {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        let left = open.get_mut(&self.network).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            open.remove(&self.network);
        }
    }
}

/// The address by which a client is known: whoever has one IPv6 address has its whole /64.
pub(super) fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests;
