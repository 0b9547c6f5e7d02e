//! The assertions of each fuzz target; `cargo test` replays the corpora through the same functions.

pub mod canonicaliser;
pub mod credentials;
pub mod policy_loader;
