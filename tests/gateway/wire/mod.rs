//! The wire protocol, byte by byte: spellings, headers, bodies, upgrades and refusals.

pub(crate) mod client;
pub(crate) mod origin;
pub(crate) mod testbed;

mod bodies;
mod candidate;
mod cors;
mod coverage;
mod forward;
mod forwarding_headers;
mod http2;
mod language;
mod large_body;
mod pace;
mod problems;
mod shadow;
mod tls_upstream;
mod upstream_failures;
pub(crate) mod websocket;
