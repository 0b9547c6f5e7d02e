//! Test fixtures of identity and reload: keys that are generated at each run, and tokens signed with them.

use std::sync::LazyLock;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::sign;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData,
    SignatureAlgorithm,
};
use serde_json::{Value, json};

use super::issuer::{ClaimLimits, ClaimPath, ClaimPaths, Issuer, ServiceRule};
use super::{Algorithm, IdentityError, KeySet, VerifiedCaller, verify};
use crate::vocabulary::Timestamp;

pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::generate(&PKCS_RSA_SHA256));
pub(crate) static RSA_TOO: LazyLock<Signer> = LazyLock::new(|| Signer::generate(&PKCS_RSA_SHA256));
pub(crate) static P256: LazyLock<Signer> = LazyLock::new(|| Signer::generate(&PKCS_ECDSA_P256_SHA256));
pub(crate) static P384: LazyLock<Signer> = LazyLock::new(|| Signer::generate(&PKCS_ECDSA_P384_SHA384));
pub(crate) static ED25519: LazyLock<Signer> = LazyLock::new(|| Signer::generate(&PKCS_ED25519));
pub(crate) const SECRET: &[u8] = b"a secret of thirty-two bytes....";

/// The current time of the tests.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000);

/// Signer: a key pair, or a secret, that signs tokens.
pub(crate) enum Signer {
    Pair(KeyPair),
    Secret(Vec<u8>),
}

impl Signer {
    pub(crate) fn generate(algorithm: &'static SignatureAlgorithm) -> Self {
        Self::Pair(KeyPair::generate_for(algorithm).unwrap())
    }

    pub(crate) fn secret(secret: &[u8]) -> Self {
        Self::Secret(secret.to_vec())
    }

    fn pair(&self) -> &KeyPair {
        let Self::Pair(pair) = self else { panic!("a secret has no public key") };
        pair
    }

    pub(crate) fn public_pem(&self) -> String {
        self.pair().public_key_pem()
    }

    pub(crate) fn private_pem(&self) -> String {
        self.pair().serialize_pem()
    }

    /// The public key as a JWK with this `kid`.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let pair = self.pair();
        let raw = pair.der_bytes();
        let mut jwk = if pair.algorithm() == &PKCS_RSA_SHA256 {
            let key = RsaPublicKeyComponents::<Vec<u8>>::from(&rsa::PublicKey::from_der(raw).unwrap());
            json!({"kty": "RSA", "n": encode(&key.n), "e": encode(&key.e)})
        } else if pair.algorithm() == &PKCS_ED25519 {
            json!({"kty": "OKP", "crv": "Ed25519", "x": encode(raw)})
        } else {
            let (x, y) = raw[1..].split_at(raw.len() / 2);
            let curve = if x.len() == 32 { "P-256" } else { "P-384" };
            json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
        };
        jwk["kid"] = kid.into();
        jwk
    }

    /// The signature of `message` as the third part of a token.
    pub(crate) fn signature(&self, algorithm: jsonwebtoken::Algorithm, message: &str) -> String {
        let key = match self {
            Self::Secret(secret) => EncodingKey::from_secret(secret),
            Self::Pair(pair) if pair.algorithm() == &PKCS_RSA_SHA256 => {
                EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap()
            }
            Self::Pair(pair) if pair.algorithm() == &PKCS_ED25519 => EncodingKey::from_ed_der(&pair.serialize_der()),
            Self::Pair(pair) => EncodingKey::from_ec_der(&pair.serialize_der()),
        };
        sign(message.as_bytes(), &key, algorithm).unwrap()
    }

    /// Makes a token of these texts, signed with `algorithm` regardless of the header.
    pub(crate) fn token_of(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        format!("{message}.{}", self.signature(algorithm.jsonwebtoken_algorithm(), &message))
    }

    /// Makes a token with this `kid` and these claims.
    pub(crate) fn token(&self, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"typ": "JWT", "alg": algorithm.name()});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        self.token_of(algorithm, &header.to_string(), &claims.to_string())
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The text of a JSON Web Key Set of these keys.
pub(crate) fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// The issuer of the tests.
pub(crate) fn issuer() -> Issuer {
    Issuer {
        name: "hospital".into(),
        iss: "https://id.hospital.example".into(),
        audiences: vec!["noah".into(), "noah-test".into()],
        claims: ClaimPaths {
            tenants: Some(ClaimPath::from_dotted("tenant")),
            roles: Some(ClaimPath::from_dotted("realm_access.roles")),
            groups: Some(ClaimPath::from_dotted("groups")),
            permissions: Some(ClaimPath::from_dotted("scope")),
            ..ClaimPaths::default()
        },
        service: ServiceRule::default(),
        claim_limits: ClaimLimits::default(),
        leeway: 10,
        max_lifetime: 3600,
        max_length: 4096,
    }
}

/// Valid claims of that issuer.
pub(crate) fn claims() -> Value {
    json!({"iss": "https://id.hospital.example", "aud": "noah", "sub": "alice", "exp": NOW.0 + 600, "iat": NOW.0})
}

/// Valid claims with one of them replaced, or removed where `value` is null.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

/// Verifies a token by the tests' issuer with `keys`.
pub(crate) fn verify_with(token: &str, keys: KeySet) -> Result<VerifiedCaller, IdentityError> {
    verify_by(token, issuer(), keys)
}

/// Verifies a token by `issuer` with `keys`.
pub(crate) fn verify_by(token: &str, issuer: Issuer, keys: KeySet) -> Result<VerifiedCaller, IdentityError> {
    verify(token, [(issuer, keys)].as_slice(), NOW)
}

/// Verifies correctly signed claims.
pub(crate) fn verify_claims(claims: &Value) -> Result<VerifiedCaller, IdentityError> {
    let token = Signer::secret(SECRET).token(Algorithm::Hs256, None, claims);
    verify_with(&token, KeySet::from_secret(SECRET).unwrap())
}
