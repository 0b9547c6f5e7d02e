//! Tests the architecture by reading the sources: layers, dependencies, import circles, and the form of each file.
//!
//! `layers` holds the rules of the layers, `circles` finds modules that import each other, and `form` checks each file.
//! `sources` lists the program's files, and `paths` reads the paths that a source text names.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends with a panic, wherever the line stands that notices"
)]

mod paths;
mod sources;

mod circles;
mod form;
mod layers;
