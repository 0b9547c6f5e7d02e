//! Where policies and keys come from, and how a new one takes the old one's place.

pub mod api_keys;
pub mod cases;
pub mod changes;
pub mod client_certs;
pub mod file;
mod http;
pub mod introspection;
pub mod keys;
pub mod live;
mod fingerprint;
pub mod policy;
pub mod refresh;
pub mod verified;
pub mod watch;

pub use live::{Live, LiveOption};
pub use policy::{PolicyEvent, PolicyStore};
pub use refresh::RefreshResult;
