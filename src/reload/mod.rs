//! Reload: reads policies, keys and certificates, and replaces the live versions when they change.

pub mod api_keys;
pub mod cases;
pub mod changes;
pub mod client_certs;
pub mod file;
mod findings;
mod http;
pub mod introspection;
mod issuer_error;
pub mod issuers;
pub mod keys;
pub mod live;
mod fingerprint;
pub mod policy;
pub mod refresh;
pub mod verified;
pub mod watch;

pub use issuer_error::IssuerError;
pub use live::{Live, LiveOption};
pub use policy::{PolicyEvent, PolicyStore};
pub use refresh::RefreshResult;
