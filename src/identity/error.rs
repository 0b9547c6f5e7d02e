//! IdentityError: every way in which a credential fails to say who asks.

use std::fmt;

/// IdentityError: why nobody was identified; closed, each with a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityError {
    /// More than one credential.
    SeveralCredentials,
    /// An `Authorization` header that is not a scheme, one space and a token68 (RFC 9110, section 11.4).
    MalformedAuthorization,
    /// An authentication scheme other than those that the API's settings name.
    UnknownScheme,
    /// A token longer than its issuer's limit, or than any issuer may allow.
    TokenTooLong,
    /// A token that is not three base64url parts of which two hold JSON objects.
    MalformedToken,
    /// A JSON object inside the token with the same member twice.
    RepeatedClaim,
    /// A header with `crit` or `b64`.
    CriticalHeader,
    /// An `alg` that is missing or not one of ours (`none` among them).
    UnknownAlgorithm,
    /// An `iss` that is missing, not a text, or not one of ours.
    UnknownIssuer,
    /// The issuer's keys were never fetched or are too old to be believed, or it could not be asked: not the token's
    /// fault.
    KeysUnavailable,
    /// A `kid` that the issuer's keys do not have.
    UnknownKey,
    /// No `kid`, and several keys that could be meant.
    AmbiguousKey,
    /// An `alg` that the key does not verify.
    AlgorithmNotForKey,
    /// A signature that does not fit.
    BadSignature,
    /// A token that its issuer, when asked, did not call active.
    Inactive,
    /// A token that its issuer, when asked, called another type than `Bearer`.
    WrongTokenType,
    /// An `exp` that is missing, or a time that is not a number.
    MalformedTime,
    /// An `exp` that has passed.
    Expired,
    /// An `nbf` or `iat` that lies ahead.
    NotYetValid,
    /// An `exp` further ahead than the issuer's tokens may live.
    LivesTooLong,
    /// An `aud` that is missing, malformed, or names none of our audiences.
    WrongAudience,
    /// A `cnf` that asks for another proof than a client certificate, or is malformed.
    UnknownConfirmation,
    /// No id, or one that is empty, too long, no text, or holds a control character.
    NoId,
    /// A user id in the name space of clients.
    ReservedId,
    /// A user or a service app where the issuer, or the file of keys, may not vouch for one.
    KindRefused,
    /// An API key that is not `id:secret`, or longer than any is.
    MalformedApiKey,
    /// An API key's id that the file does not have.
    UnknownApiKey,
    /// An API key's secret that is not the one of its id.
    WrongSecret,
    /// An API key that was revoked.
    ApiKeyRevoked,
    /// An API key whose `expires` has passed.
    ApiKeyExpired,
    /// A client certificate beside a token or key, where the API's settings do not say which names the caller.
    CertificateBesideToken,
    /// A client certificate that no authority vouches for, of those that the API believes, as they are now.
    CertificateUntrusted,
    /// A client certificate, or one above it, that has expired since the connection began.
    CertificateExpired,
    /// A client certificate, or one above it, that was revoked since the connection began.
    CertificateRevoked,
    /// A client certificate whose authority's revocation list is missing or out of date.
    RevocationUnknown,
    /// Two ids of the sort that names the caller.
    AmbiguousId,
    /// A token that is bound to another client certificate than the connection has.
    BoundElsewhere,
}

impl IdentityError {
    /// Every error, in the order of the checks.
    pub const ALL: [Self; 37] = [
        Self::SeveralCredentials,
        Self::MalformedAuthorization,
        Self::UnknownScheme,
        Self::TokenTooLong,
        Self::MalformedToken,
        Self::RepeatedClaim,
        Self::CriticalHeader,
        Self::UnknownAlgorithm,
        Self::UnknownIssuer,
        Self::KeysUnavailable,
        Self::UnknownKey,
        Self::AmbiguousKey,
        Self::AlgorithmNotForKey,
        Self::BadSignature,
        Self::Inactive,
        Self::WrongTokenType,
        Self::MalformedTime,
        Self::Expired,
        Self::NotYetValid,
        Self::LivesTooLong,
        Self::WrongAudience,
        Self::UnknownConfirmation,
        Self::NoId,
        Self::ReservedId,
        Self::KindRefused,
        Self::MalformedApiKey,
        Self::UnknownApiKey,
        Self::WrongSecret,
        Self::ApiKeyRevoked,
        Self::ApiKeyExpired,
        Self::CertificateBesideToken,
        Self::CertificateUntrusted,
        Self::CertificateExpired,
        Self::CertificateRevoked,
        Self::RevocationUnknown,
        Self::AmbiguousId,
        Self::BoundElsewhere,
    ];

    /// The stable code that audit records, metrics and answers use.
    pub fn code(self) -> &'static str {
        match self {
            Self::SeveralCredentials => "several-credentials",
            Self::MalformedAuthorization => "malformed-authorization",
            Self::UnknownScheme => "unknown-scheme",
            Self::TokenTooLong => "token-too-long",
            Self::MalformedToken => "malformed-token",
            Self::RepeatedClaim => "repeated-claim",
            Self::CriticalHeader => "critical-header",
            Self::UnknownAlgorithm => "unknown-algorithm",
            Self::UnknownIssuer => "unknown-issuer",
            Self::KeysUnavailable => "keys-unavailable",
            Self::UnknownKey => "unknown-key",
            Self::AmbiguousKey => "ambiguous-key",
            Self::AlgorithmNotForKey => "algorithm-not-for-key",
            Self::BadSignature => "bad-signature",
            Self::Inactive => "inactive-token",
            Self::WrongTokenType => "wrong-token-type",
            Self::MalformedTime => "malformed-time",
            Self::Expired => "token-expired",
            Self::NotYetValid => "token-not-yet-valid",
            Self::LivesTooLong => "token-lives-too-long",
            Self::WrongAudience => "wrong-audience",
            Self::UnknownConfirmation => "unknown-confirmation",
            Self::NoId => "no-id",
            Self::ReservedId => "reserved-id",
            Self::KindRefused => "kind-refused",
            Self::MalformedApiKey => "malformed-api-key",
            Self::UnknownApiKey => "unknown-api-key",
            Self::WrongSecret => "wrong-secret",
            Self::ApiKeyRevoked => "api-key-revoked",
            Self::ApiKeyExpired => "api-key-expired",
            Self::CertificateBesideToken => "certificate-beside-token",
            Self::CertificateUntrusted => "certificate-untrusted",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateRevoked => "certificate-revoked",
            Self::RevocationUnknown => "revocation-unknown",
            Self::AmbiguousId => "ambiguous-id",
            Self::BoundElsewhere => "token-bound-elsewhere",
        }
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::SeveralCredentials => "the request carries more than one credential",
            Self::MalformedAuthorization => "the `Authorization` header is not a scheme, one space and a token",
            Self::UnknownScheme => "the authentication scheme is not one that is taken here",
            Self::TokenTooLong => "the token is longer than allowed",
            Self::MalformedToken => "the token is not a signed JSON Web Token",
            Self::RepeatedClaim => "the token names the same member twice",
            Self::CriticalHeader => "the token's header asks for extensions with `crit` or `b64`",
            Self::UnknownAlgorithm => "the token's algorithm is not supported",
            Self::UnknownIssuer => "the token's issuer is not trusted",
            Self::KeysUnavailable => "the issuer's keys, or its word, are unavailable",
            Self::UnknownKey => "the token names a key that its issuer does not have",
            Self::AmbiguousKey => "the token names no key and several could be meant",
            Self::AlgorithmNotForKey => "the key does not verify the token's algorithm",
            Self::BadSignature => "the token's signature does not fit",
            Self::Inactive => "the token's issuer says that it is not active",
            Self::WrongTokenType => "the token's issuer says that it is no bearer token",
            Self::MalformedTime => "the token has no `exp`, or a time that is not a number",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::LivesTooLong => "the token is valid for longer than its issuer's tokens may be",
            Self::WrongAudience => "the token is meant for another audience",
            Self::UnknownConfirmation => "the token wants a proof, in `cnf`, that is not checked here",
            Self::NoId => "the credential does not say who its subject is",
            Self::ReservedId => "the id lies in the name space of clients",
            Self::KindRefused => "the issuer may not vouch for a caller of this kind",
            Self::MalformedApiKey => "the API key is not an id, a colon and a secret",
            Self::UnknownApiKey => "the API key is not known",
            Self::WrongSecret => "the API key's secret does not fit",
            Self::ApiKeyRevoked => "the API key was revoked",
            Self::ApiKeyExpired => "the API key has expired",
            Self::CertificateBesideToken => {
                "a client certificate and another credential, and the API's `caller` does not say which counts"
            }
            Self::CertificateUntrusted => "no authority that is believed here vouches for the client certificate",
            Self::CertificateExpired => "the client certificate, or one above it, has expired",
            Self::CertificateRevoked => "the client certificate, or one above it, was revoked",
            Self::RevocationUnknown => "whether the client certificate was revoked cannot be told",
            Self::AmbiguousId => "the client certificate has several names of the sort that is its id",
            Self::BoundElsewhere => "the token is bound to another client certificate",
        })
    }
}

impl std::error::Error for IdentityError {}
