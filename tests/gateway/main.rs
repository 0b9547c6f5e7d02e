//! Tests the gateway from outside: the real binary as a child process, with real tokens, real sockets and a real
//! upstream.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends with a panic, wherever the line stands that notices"
)]

#[path = "../random/seed.rs"]
mod seed;
mod support;

mod lifecycle;
mod matrix;
mod policies;
mod promises;
mod reload;
mod wire;

#[cfg(feature = "real")]
mod real;
