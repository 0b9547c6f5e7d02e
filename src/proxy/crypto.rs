//! The cryptography of this process: aws-lc, for rustls and everything above it.

use rustls::crypto::aws_lc_rs as provider;

/// Makes aws-lc the provider of rustls; called before anything of Pingora, which would install ring.
pub fn install_provider() {
    // A second call finds the provider of the first: no error.
    let _ = provider::default_provider().install_default();
}
