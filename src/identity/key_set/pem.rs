//! Reads several public keys from one PEM text (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::KeyError;
use super::key::VerificationKey;

/// Reads the keys of all blocks in `text`; text between blocks is a comment.
pub(super) fn read_keys(text: &str) -> Result<Vec<VerificationKey>, KeyError> {
    let mut keys = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        if label != "PUBLIC KEY" && label != "RSA PUBLIC KEY" {
            return Err(KeyError::NotAPublicKey(label.into()));
        }
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        loop {
            match lines.next() {
                Some(line) if line == end => break,
                Some(line) => body.push_str(line),
                None => return Err(KeyError::MalformedPem),
            }
        }
        keys.push(VerificationKey::from_der(&STANDARD.decode(body).map_err(|_| KeyError::MalformedPem)?)?);
    }
    Ok(keys)
}
