//! VerificationKey: one key that verifies, checked when it was loaded; the one file that hands a signature to jsonwebtoken.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

use super::KeyError;
use crate::identity::{Algorithm, Algorithms};

/// VerificationKey: one key of a set.
#[derive(Debug)]
pub(in crate::identity) struct VerificationKey {
    pub(super) kid: Option<Box<str>>,
    pub(super) algorithms: Algorithms,
    decoding: DecodingKey,
}

impl VerificationKey {
    /// Whether `signature` is this key's for `message`; never with an algorithm that is not the key's.
    pub(in crate::identity) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider by name, not the process's default: a second backend in the build could not change it.
        self.algorithms.contains(algorithm)
            && (DEFAULT_PROVIDER.verifier_factory)(&algorithm.spelled(), &self.decoding)
                .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// The key of a shared secret.
    pub(super) fn secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < 32 {
            return Err(KeyError::ShortSecret(secret.len()));
        }
        Ok(Self::new(Algorithm::Hs256.into(), DecodingKey::from_secret(secret)))
    }

    /// The public key in `der`: a SubjectPublicKeyInfo of any kind, or an RSAPublicKey.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        match Self::rsa_der(der) {
            Err(KeyError::UnknownKey) => {}
            read => return read,
        }
        Self::p256(der).or_else(|_| Self::p384(der)).or_else(|_| Self::ed25519(der))
    }

    /// The RSA key of a big-endian modulus and exponent.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let components = RsaPublicKeyComponents { n: without_zeros(modulus), e: without_zeros(exponent) };
        Self::rsa_der(components.as_der().map_err(|_| KeyError::UnknownKey)?.as_ref())
    }

    /// The key of a point on P-256, uncompressed or in a SubjectPublicKeyInfo.
    pub(super) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        sound(&ECDSA_P256_SHA256_FIXED, point)?;
        Ok(Self::new(Algorithm::Es256.into(), DecodingKey::from_ec_der(point)))
    }

    /// The key of a point on P-384, uncompressed or in a SubjectPublicKeyInfo.
    pub(super) fn p384(point: &[u8]) -> Result<Self, KeyError> {
        sound(&ECDSA_P384_SHA384_FIXED, point)?;
        Ok(Self::new(Algorithm::Es384.into(), DecodingKey::from_ec_der(point)))
    }

    /// The Ed25519 key of 32 bytes, or in a SubjectPublicKeyInfo.
    pub(super) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        sound(&ED25519, key)?;
        Ok(Self::new(Algorithm::EdDsa.into(), DecodingKey::from_ed_der(key)))
    }

    fn rsa_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = rsa::PublicKey::from_der(der).map_err(|_| KeyError::UnknownKey)?;
        let modulus = RsaPublicKeyComponents::<Vec<u8>>::from(&key).n;
        let modulus = without_zeros(&modulus);
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

/// Refuses what is no key of this algorithm, a point off its curve among it, before the first token asks.
fn sound(algorithm: &'static dyn VerificationAlgorithm, key: &[u8]) -> Result<(), KeyError> {
    UnparsedPublicKey::new(algorithm, key).parse().map(|_| ()).map_err(|_| KeyError::UnknownKey)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.split_at(zeros).1
}
