//! Shared test support: the environment with issuer and upstream, the gateway as a child process, and clients.

mod backend;
mod client;
mod gateway;
mod load_generator;
mod pki;
mod raw_connection;
mod settings;
mod environment;
mod tls;

pub(crate) use backend::Backend;
pub(crate) use client::{Answer, Client};
pub(crate) use environment::TestEnvironment;
pub(crate) use gateway::Gateway;
pub(crate) use load_generator::LoadGenerator;
pub(crate) use pki::{Authority, ClientIdentity};
pub(crate) use raw_connection::RawConnection;
pub(crate) use settings::Settings;
pub(crate) use tls::{TlsClient, client_config};

use std::time::{Duration, Instant};

/// The time limit of every step that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Polls until `probe` returns a value, and fails with `what` after `time`.
pub(crate) async fn within<T>(time: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + time;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < end, "not within {time:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
