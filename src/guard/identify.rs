//! Identification: the caller of a request by client certificate, API key or token.
//!
//! Keys and tokens of an address with too many failures are not verified. A token that only its issuer can read gives
//! an [`IssuerQuery`], which the request awaits.

use std::net::IpAddr;
use std::sync::Arc;

use crate::decision::Reason;
use crate::identity::{IdentityError, PresentedCredential, VerifiedCaller};
use crate::metrics::CacheResult;
use crate::policy::{NoMatch, RouteMatch};
use crate::reload::introspection::{IntrospectionAnswer, Introspector};
use crate::reload::issuers::VerificationFailure;
use crate::reload::verified::{CacheSlot, Lookup, TokenDigest};
use crate::request::query;
use crate::settings::CallerPrecedence;
use crate::vocabulary::Timestamp;

use super::Guard;
use super::api::Api;
use super::arrival::Arrival;
use super::peer_certificate::PeerCertificate;

/// IdentificationStop: why no caller was identified.
pub(super) enum IdentificationStop {
    /// The credential proves no caller.
    Identity(IdentityError),
    /// The credential was not verified.
    Refused(Reason),
    /// Only the token's issuer can tell.
    Ask(IssuerQuery),
}

/// IssuerQuery: a token that its issuer must be asked about before the request can be judged (RFC 7662).
pub(super) struct IssuerQuery {
    issuer: Arc<Introspector>,
    token: Box<str>,
    slot: CacheSlot,
}

impl IssuerQuery {
    /// Asks the issuer; the answer is cached for later requests.
    pub(super) async fn ask(self, api: &Api) -> IssuerAnswer {
        let token = self.slot.digest();
        let (IntrospectionAnswer { outcome, at, .. }, first) = self.issuer.introspect(&self.token, &token).await;
        let outcome = outcome.map(|caller| api.tokens.store_for(self.issuer.cache_seconds(), self.slot, caller, at));
        IssuerAnswer { token, outcome, first }
    }
}

/// IssuerAnswer: the answer of an issuer about one token.
pub(super) struct IssuerAnswer {
    token: TokenDigest,
    outcome: Result<Arc<VerifiedCaller>, IdentityError>,
    /// Whether this request caused the call.
    first: bool,
}

/// IdentificationInput: what identification reads.
#[derive(Clone, Copy)]
pub(super) struct IdentificationInput<'a> {
    pub(super) arrival: &'a Arrival<'a>,
    pub(super) address: Option<IpAddr>,
    /// The query as received.
    pub(super) query: Option<&'a str>,
    /// The query parameter that may carry the token, by the route.
    pub(super) parameter: Option<&'a str>,
    pub(super) now: Timestamp,
    /// The issuer's answer, where it has been asked.
    pub(super) answer: Option<&'a IssuerAnswer>,
    /// Whether failures and look-ups are counted: once a request.
    pub(super) counts: bool,
}

/// The query parameter that may carry the token of a request on this route.
pub(super) fn token_parameter<'p>(route: &Result<RouteMatch<'p>, NoMatch>) -> Option<&'p str> {
    route.as_ref().ok().and_then(|route| route.method.token_from.as_deref())
}

/// Identifies the caller; `None` where no credential was presented.
pub(super) fn identify(
    guard: &Guard,
    api: &Api,
    input: IdentificationInput<'_>,
) -> Result<Option<Arc<VerifiedCaller>>, IdentificationStop> {
    let shown = input.arrival.certificate();
    let named = shown
        .map(|shown| by_certificate(shown, api, input.now))
        .transpose()
        .map_err(IdentificationStop::Identity)?
        .flatten();
    let credentials = input.arrival.credentials(&api.keys);
    let in_query = match (input.parameter, input.query) {
        (Some(name), Some(written)) => {
            // Two tokens are two credentials.
            query::single_value(written, name)
                .map_err(|_| IdentificationStop::Identity(IdentityError::SeveralCredentials))?
        }
        // A server may accept a token in the query on any route (RFC 6750, section 2.3). Beside another credential it
        // could name another caller.
        (None, Some(written))
            if query::parameters(written).any(|(name, _)| query::is_alias_of(&name, query::TOKEN_PARAMETER)) =>
        {
            let alone = named.is_none() && matches!(credentials.select(), Ok(PresentedCredential::Anonymous));
            return if alone { Ok(None) } else { Err(IdentificationStop::Identity(IdentityError::SeveralCredentials)) };
        }
        _ => None,
    };
    let credentials = credentials.with_query_token(in_query.as_deref());
    let failed = |error| {
        // Counts only what cost a verification or may be a guess: a client that retries an expired token or key is not
        // locked out.
        let asked_for = error != IdentityError::KeysUnavailable && input.answer.is_some_and(|answer| answer.first);
        let costly = asked_for || matches!(error, IdentityError::BadSignature | IdentityError::UnknownKey);
        let guessed = matches!(error, IdentityError::UnknownApiKey | IdentityError::WrongSecret);
        if let (Some(address), true) = (input.address, input.counts && (costly || guessed)) {
            guard.failed_credentials.count(address, input.now);
        }
        IdentificationStop::Identity(error)
    };
    let counted = |result| {
        if input.counts {
            guard.metrics.count_token_lookup(result);
        }
    };
    let has_failed_too_often =
        || input.address.is_some_and(|address| guard.failed_credentials.is_over(address, input.now));
    let presented = credentials.select().map_err(failed)?;
    match (named, presented, api.caller) {
        (Some(named), PresentedCredential::Anonymous, _) | (Some(named), _, Some(CallerPrecedence::Certificate)) => {
            return named.map(Some).map_err(IdentificationStop::Identity);
        }
        (Some(_), _, None) => return Err(IdentificationStop::Identity(IdentityError::CertificateBesideToken)),
        (Some(_), _, Some(CallerPrecedence::Token)) | (None, ..) => {}
    }
    let thumbprint = shown.map(|shown| shown.thumbprint());
    let token = match presented {
        PresentedCredential::Anonymous => return Ok(None),
        PresentedCredential::Token(token) => token,
        PresentedCredential::Basic(_) | PresentedCredential::Key { .. } if has_failed_too_often() => {
            return Err(IdentificationStop::Refused(Reason::TooManyFailures));
        }
        key @ (PresentedCredential::Basic(_) | PresentedCredential::Key { .. }) => {
            return api.keys.verify(key, input.now).map(Some).map_err(failed);
        }
    };
    match api.tokens.look_up(token, input.now) {
        Lookup::Found(verified) => {
            if input.answer.is_none() {
                counted(CacheResult::Hit);
            }
            bound(verified, thumbprint).map(Some)
        }
        Lookup::Missing(slot) => {
            if let Some(answer) = input.answer {
                // The policy has changed meanwhile, and with it the place of the token: the answer is about another one.
                let same = answer.token == slot.digest();
                let outcome = if same { answer.outcome.clone() } else { Err(IdentityError::KeysUnavailable) };
                return bound(outcome.map_err(failed)?, thumbprint).map(Some);
            }
            counted(CacheResult::Miss);
            if has_failed_too_often() {
                return Err(IdentificationStop::Refused(Reason::TooManyFailures));
            }
            match api.issuers.verify(token, input.now) {
                Ok(verified) => bound(api.tokens.store(slot, verified, input.now), thumbprint).map(Some),
                Err(VerificationFailure::Refused(error)) => Err(failed(error)),
                Err(VerificationFailure::Introspect(issuer)) => {
                    match issuer.recent_answer(&slot.digest()).map(|answer| answer.outcome) {
                        Some(Err(error)) => Err(IdentificationStop::Identity(error)),
                        Some(Ok(_)) | None => Err(IdentificationStop::Ask(IssuerQuery {
                            issuer: Arc::clone(issuer),
                            token: token.into(),
                            slot,
                        })),
                    }
                }
            }
        }
    }
}

/// The caller that a certificate names to this API; `None` where the API accepts no client certificates.
///
/// # Errors
/// The certificate is no longer valid, which refuses every request on its connection, or the API does not accept its
/// source.
fn by_certificate(
    shown: &PeerCertificate,
    api: &Api,
    now: Timestamp,
) -> Result<Option<Result<Arc<VerifiedCaller>, IdentityError>>, IdentityError> {
    let verdict = shown.verdict(now);
    let named = verdict.result.as_ref().map_err(|error| *error)?;
    if api.certificates.is_empty() {
        return Ok(None);
    }
    if !api.certificates.contains(&named.source) {
        return Err(IdentityError::CertificateUntrusted);
    }
    Ok(Some(named.caller.clone()))
}

/// Checks that a token bound to a certificate came with that certificate (RFC 8705, section 3).
fn bound(verified: Arc<VerifiedCaller>, thumbprint: Option<&str>) -> Result<Arc<VerifiedCaller>, IdentificationStop> {
    let to = verified.subject.claims.get("cnf").and_then(|cnf| cnf.get("x5t#S256"));
    match to {
        Some(to) if to.as_str().is_none_or(|to| Some(to) != thumbprint) => {
            Err(IdentificationStop::Identity(IdentityError::BoundElsewhere))
        }
        _ => Ok(verified),
    }
}
