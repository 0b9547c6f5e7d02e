//! Who asks: credentials, keys and a moment in; a subject or a named error out.

pub mod issuer;

pub use issuer::Issuer;
