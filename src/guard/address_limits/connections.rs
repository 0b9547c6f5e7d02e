//! ConnectionsByAddress: open connections by client address, so that one client cannot hold them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::network::client_network;

/// ConnectionsByAddress: counts of open connections; an address without one takes no memory.
#[derive(Debug, Clone, Default)]
pub struct ConnectionsByAddress(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl ConnectionsByAddress {
    /// Returns a guard that counts as one connection of `address` until it is dropped; `None` at the limit.
    pub fn enter_below(&self, address: IpAddr, limit: usize) -> Option<AddressGuard> {
        let network = client_network(address);
        let mut open = self.lock();
        let count = open.entry(network).or_default();
        // No limit is below one, so that a refusal leaves no empty entry behind.
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

#[cfg(test)]
mod tests;
