//! What each fuzz target asserts; `cargo test` runs the same over the corpora.

pub mod canonicaliser;
pub mod credentials;
pub mod policy_loader;
