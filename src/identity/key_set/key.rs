//! VerificationKey: one validated public key or secret; the only file that calls jsonwebtoken to verify.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

use super::error::KeyError;
use crate::identity::{Algorithm, Algorithms};

/// VerificationKey: one key of a set, and the algorithms that it may verify.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    pub(super) kid: Option<Box<str>>,
    pub(super) algorithms: Algorithms,
    decoding: DecodingKey,
}

impl VerificationKey {
    /// Whether `signature` is valid for `message`; always false for an algorithm that is not the key's.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named, not the process's default: a second backend in the build cannot replace it.
        self.algorithms.contains(algorithm)
            && (DEFAULT_PROVIDER.verifier_factory)(&algorithm.jsonwebtoken_algorithm(), &self.decoding)
                .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// Makes the key of a shared secret.
    pub(super) fn secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < 32 {
            return Err(KeyError::ShortSecret(secret.len()));
        }
        Ok(Self::new(Algorithm::Hs256.into(), DecodingKey::from_secret(secret)))
    }

    /// Reads the public key in `der`: a SubjectPublicKeyInfo of any supported kind, or an RSAPublicKey.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        match Self::rsa_der(der) {
            Err(KeyError::UnknownKey) => {}
            read => return read,
        }
        Self::p256(der).or_else(|_| Self::p384(der)).or_else(|_| Self::ed25519(der))
    }

    /// Makes an RSA key from a big-endian modulus and exponent.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let components = RsaPublicKeyComponents { n: strip_leading_zeros(modulus), e: strip_leading_zeros(exponent) };
        Self::rsa_der(components.as_der().map_err(|_| KeyError::UnknownKey)?.as_ref())
    }

    /// Makes a key from a point on P-256, uncompressed or in a SubjectPublicKeyInfo.
    pub(super) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        check_key(&ECDSA_P256_SHA256_FIXED, point)?;
        Ok(Self::new(Algorithm::Es256.into(), DecodingKey::from_ec_der(point)))
    }

    /// Makes a key from a point on P-384, uncompressed or in a SubjectPublicKeyInfo.
    pub(super) fn p384(point: &[u8]) -> Result<Self, KeyError> {
        check_key(&ECDSA_P384_SHA384_FIXED, point)?;
        Ok(Self::new(Algorithm::Es384.into(), DecodingKey::from_ec_der(point)))
    }

    /// Makes an Ed25519 key from 32 bytes or a SubjectPublicKeyInfo.
    pub(super) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        check_key(&ED25519, key)?;
        Ok(Self::new(Algorithm::EdDsa.into(), DecodingKey::from_ed_der(key)))
    }

    fn rsa_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = rsa::PublicKey::from_der(der).map_err(|_| KeyError::UnknownKey)?;
        let modulus = RsaPublicKeyComponents::<Vec<u8>>::from(&key).n;
        let modulus = strip_leading_zeros(&modulus);
        let spare = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        let bits = modulus.len() * 8 - spare;
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::RsaLength(bits));
        }
        Ok(Self::new(Algorithms::RSA, DecodingKey::from_rsa_der(key.as_ref())))
    }

    fn new(algorithms: Algorithms, decoding: DecodingKey) -> Self {
        Self { kid: None, algorithms, decoding }
    }
}

/// Checks when the key is loaded that it is valid for this algorithm; a point off the curve is not.
fn check_key(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Result<(), KeyError> {
    UnparsedPublicKey::new(algorithm, key).parse().map(|_| ()).map_err(|_| KeyError::UnknownKey)
}

fn strip_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.split_at(zeros).1
}
