//! The file of API keys: reading it strictly and editing it as a text.

pub mod edit;
mod read;

pub use read::{KeyEntry, build_ring, read};
