//! Limits of one client address: open connections, and invalid credentials in a minute.

mod connections;
mod failed_credentials;
mod network;

pub use connections::{AddressGuard, ConnectionsByAddress};
pub use failed_credentials::FailedCredentials;
