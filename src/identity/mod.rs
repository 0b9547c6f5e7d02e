//! Who asks: credentials, keys and a moment in; a subject or a named error out.

pub mod error;
pub mod issuer;

pub use error::IdentityError;
pub use issuer::Issuer;
