//! The gateway's promises, one file per section; the README's table names the test that proves each promise.

mod framing;
mod nothing_by_default;
mod nothing_lost;
mod one_identity;
mod one_operation;
mod one_spelling;
