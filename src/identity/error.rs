//! IdentityError: every reason why a credential does not identify a caller.

use std::fmt;

/// IdentityError: why the caller was not identified; a closed list with a stable code for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityError {
    /// More than one credential.
    SeveralCredentials,
    /// An `Authorization` header that is not a scheme, one space and a token68 (RFC 9110, section 11.4).
    MalformedAuthorization,
    /// An authentication scheme that the API's settings do not accept.
    UnknownScheme,
    /// A token longer than its issuer's limit or than the limit for all issuers.
    TokenTooLong,
    /// A token that is not three base64url parts, the first two of them JSON objects.
    MalformedToken,
    /// A JSON object in the token that repeats a member.
    RepeatedClaim,
    /// A header with `crit` or `b64`.
    CriticalHeader,
    /// An `alg` that is missing or not supported; `none` is not supported.
    UnknownAlgorithm,
    /// An `iss` that is missing, not a string, or not a configured issuer.
    UnknownIssuer,
    /// The issuer's keys were never fetched or are too old, or its introspection failed. The token is not at fault.
    KeysUnavailable,
    /// A `kid` that is not among the issuer's keys.
    UnknownKey,
    /// No `kid`, and several keys that fit.
    AmbiguousKey,
    /// An `alg` that does not belong to the key.
    AlgorithmNotForKey,
    /// A signature that does not verify.
    BadSignature,
    /// A token that is not active according to its issuer's introspection.
    Inactive,
    /// A token whose type is not `Bearer` according to its issuer's introspection.
    WrongTokenType,
    /// An `exp` that is missing, or a time that is not a number.
    MalformedTime,
    /// An `exp` that has passed.
    Expired,
    /// An `nbf` or `iat` in the future.
    NotYetValid,
    /// An `exp` beyond the longest lifetime of the issuer's tokens.
    LivesTooLong,
    /// An `aud` that is missing, malformed, or names none of the configured audiences.
    WrongAudience,
    /// A `cnf` that is malformed or requires a proof other than a client certificate.
    UnknownConfirmation,
    /// No id, or an id that is empty, too long, not a string, or holds a control character.
    NoId,
    /// A user id in the namespace of clients.
    ReservedId,
    /// A user or a service app from an issuer or a key file that may not authenticate this kind.
    KindRefused,
    /// An API key that is not `id:secret`, or is too long.
    MalformedApiKey,
    /// An API key's id that is not in the key file.
    UnknownApiKey,
    /// An API key's secret that does not match its id.
    WrongSecret,
    /// An API key that was revoked.
    ApiKeyRevoked,
    /// An API key whose `expires` has passed.
    ApiKeyExpired,
    /// A client certificate beside a token or key, where the API's settings do not say which one identifies the caller.
    CertificateBesideToken,
    /// A client certificate that no currently trusted authority of the API has issued.
    CertificateUntrusted,
    /// A client certificate, or one above it in the chain, that has expired since the connection began.
    CertificateExpired,
    /// A client certificate, or one above it in the chain, that was revoked since the connection began.
    CertificateRevoked,
    /// A client certificate whose authority's revocation list is missing or out of date.
    RevocationUnknown,
    /// A client certificate with two ids of the configured kind.
    AmbiguousId,
    /// A token that is bound to a client certificate other than the connection's.
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

    /// The stable code in audit records, metrics and responses.
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
            Self::UnknownScheme => "the authentication scheme is not accepted here",
            Self::TokenTooLong => "the token is longer than allowed",
            Self::MalformedToken => "the token is not a signed JSON Web Token",
            Self::RepeatedClaim => "the token repeats a JSON member",
            Self::CriticalHeader => "the token's header requires extensions with `crit` or `b64`",
            Self::UnknownAlgorithm => "the token's algorithm is not supported",
            Self::UnknownIssuer => "the token's issuer is not trusted",
            Self::KeysUnavailable => "the issuer's keys or its introspection are unavailable",
            Self::UnknownKey => "the token names a key that its issuer does not have",
            Self::AmbiguousKey => "the token names no key and several keys fit",
            Self::AlgorithmNotForKey => "the token's algorithm does not belong to the key",
            Self::BadSignature => "the token's signature is not valid",
            Self::Inactive => "the issuer reports that the token is not active",
            Self::WrongTokenType => "the issuer reports that the token is not a bearer token",
            Self::MalformedTime => "the token has no `exp`, or a time that is not a number",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::LivesTooLong => "the token is valid for longer than its issuer's limit",
            Self::WrongAudience => "the token is for another audience",
            Self::UnknownConfirmation => "the token requires a proof in `cnf` that is not supported",
            Self::NoId => "the credential has no valid id of its subject",
            Self::ReservedId => "the id is in the namespace reserved for clients",
            Self::KindRefused => "the issuer may not authenticate a caller of this kind",
            Self::MalformedApiKey => "the API key is not an id, a colon and a secret",
            Self::UnknownApiKey => "the API key is not known",
            Self::WrongSecret => "the API key's secret is wrong",
            Self::ApiKeyRevoked => "the API key was revoked",
            Self::ApiKeyExpired => "the API key has expired",
            Self::CertificateBesideToken => {
                "the request has a client certificate and another credential, and the API's `caller` chooses neither"
            }
            Self::CertificateUntrusted => "no trusted authority has issued the client certificate",
            Self::CertificateExpired => "the client certificate, or one above it, has expired",
            Self::CertificateRevoked => "the client certificate, or one above it, was revoked",
            Self::RevocationUnknown => "the revocation status of the client certificate is unknown",
            Self::AmbiguousId => "the client certificate has several names of the kind that is its id",
            Self::BoundElsewhere => "the token is bound to another client certificate",
        })
    }
}

impl std::error::Error for IdentityError {}
