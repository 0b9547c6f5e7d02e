//! What the gateway promises, a file for each section of promises; the README's table says which test holds which.

mod framing;
mod nothing_by_default;
mod nothing_lost;
mod one_identity;
mod one_operation;
mod one_spelling;
