//! KeyError: why a text or a secret is not a key set.

use std::fmt;

/// KeyError: why a text or a secret is not a key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// Not a JSON object with a list `keys`, or an object that repeats a member.
    MalformedKeySet,
    /// No key that can verify a token, with the reason for each key that was skipped.
    NoUsableKey(Vec<Box<str>>),
    /// Two keys with the same `kid`.
    RepeatedKid(Box<str>),
    /// A PEM block that is cut off or not base64.
    MalformedPem,
    /// A PEM block with another label than `PUBLIC KEY` or `RSA PUBLIC KEY`.
    NotAPublicKey(Box<str>),
    /// A public key that is not a valid RSA, P-256, P-384 or Ed25519 key.
    UnknownKey,
    /// An RSA key shorter than 2048 bits, or longer than 8192, the most that is verified.
    RsaLength(usize),
    /// A secret shorter than 32 bytes.
    ShortSecret(usize),
}

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedKeySet => out.write_str("not a JSON Web Key Set: no object with one list `keys`"),
            Self::NoUsableKey(reasons) if reasons.is_empty() => out.write_str("no key in it"),
            Self::NoUsableKey(reasons) => write!(out, "no key in it verifies tokens: {}", reasons.join("; ")),
            Self::RepeatedKid(kid) => write!(out, "two keys have the `kid` `{kid}`"),
            Self::MalformedPem => out.write_str("a PEM block is cut off or not base64"),
            Self::NotAPublicKey(label) => write!(out, "a PEM block `{label}` where a `PUBLIC KEY` belongs"),
            Self::UnknownKey => out.write_str("a public key that is not a sound RSA, P-256, P-384 or Ed25519 key"),
            Self::RsaLength(bits) => write!(out, "an RSA key of {bits} bits; 2048 to 8192 are accepted"),
            Self::ShortSecret(bytes) => write!(out, "a secret of {bytes} bytes; HS256 needs at least 32"),
        }
    }
}

impl std::error::Error for KeyError {}
