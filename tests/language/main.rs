//! The policy language, held against a second, naive reading of its page on generated policies.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends with a panic, wherever the line stands that notices"
)]

mod asking;
mod dice;
mod making;
mod matching;
mod naive;
mod printing;
mod program;
mod world;

mod agreement;
mod cases;
mod golden;
mod differing;
mod properties;
mod tables;
