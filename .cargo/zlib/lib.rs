//! Plain zlib under the name that flate2 expects of zlib-ng.
pub use libz_sys::*;
