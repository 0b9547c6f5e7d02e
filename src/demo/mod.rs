//! The demo: an embedded Noah-like upstream, an issuer with five ready callers, and the tour that leads through them.

pub mod upstream;
pub mod issuer;
pub mod callers;
pub mod tour;

mod server;
#[cfg(test)]
mod wire;

pub use issuer::Issuer;
pub use upstream::Upstream;
