//! Self-test: checks once at start that this process accepts a valid signature and refuses a forged one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

use super::{Algorithm, KeySet};

/// SelfTestError: this process does not verify signatures correctly, so it must not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfTestError;

impl fmt::Display for SelfTestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the cryptography of this build fails its self-test")
    }
}

impl std::error::Error for SelfTestError {}

/// Installs jsonwebtoken's provider, then verifies the example of RFC 7515, appendix A.1, unchanged and with one bit
/// changed.
///
/// # Errors
///
/// The valid signature is refused or the forged one accepted.
pub fn self_test() -> Result<(), SelfTestError> {
    // A second call fails because the provider is installed already; this crate builds no other provider.
    let _ = DEFAULT_PROVIDER.install_default();
    let secret = URL_SAFE_NO_PAD.decode(SECRET).map_err(|_| SelfTestError)?;
    let keys = KeySet::from_secret(&secret).map_err(|_| SelfTestError)?;
    let key = keys.select_key(None, Algorithm::Hs256).map_err(|_| SelfTestError)?;
    let signature = URL_SAFE_NO_PAD.decode(SIGNATURE).map_err(|_| SelfTestError)?;
    let mut forged = signature.clone();
    forged.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    let good = key.verifies(Algorithm::Hs256, SIGNED.as_bytes(), &signature);
    let bad = key.verifies(Algorithm::Hs256, SIGNED.as_bytes(), &forged);
    if good && !bad { Ok(()) } else { Err(SelfTestError) }
}

const SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const SIGNED: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0d\
                      HA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_test_passes_and_may_run_twice() {
        assert_eq!(self_test(), Ok(()));
        assert_eq!(self_test(), Ok(()));
    }
}
