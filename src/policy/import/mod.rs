//! Imports policies from vendors' files: routes from an OpenAPI document, rows and columns from permission matrices.
//!
//! An import never permits more than its source does: content that is not understood is omitted and reported.

pub mod matrix;
pub mod openapi;
mod count;
mod result;
mod tree;
mod yaml;

pub use result::ImportResult;
