//! Who asks: by a client certificate, an API key, or a token from the cache or verified now; neither of the last two is
//! looked at where the address has failed too often. A token that only its issuer can read makes a question, which the
//! request waits for.

use std::net::IpAddr;
use std::sync::Arc;

use pingora::proxy::Session;

use crate::decision::Reason;
use crate::identity::{IdentityError, PresentedCredential, VerifiedCaller};
use crate::metrics::CacheResult;
use crate::reload::introspection::{IntrospectionAnswer, Introspector};
use crate::reload::keys::VerificationFailure;
use crate::reload::verified::{CacheSlot, Lookup, TokenDigest};
use crate::request::query;
use crate::settings::CallerPrecedence;
use crate::vocabulary::Timestamp;

use super::api::Api;
use super::tls::peer::PeerCertificate;
use super::{Edge, read};

/// IdentificationStop: why nobody was identified.
pub(super) enum IdentificationStop {
    /// The credential does not say who asks.
    Identity(IdentityError),
    /// Nothing was looked at.
    Refused(Reason),
    /// Only the token's issuer knows.
    Ask(IssuerQuery),
}

/// IssuerQuery: a token that its issuer must be asked about before the request can be judged.
pub(super) struct IssuerQuery {
    issuer: Arc<Introspector>,
    token: Box<str>,
    slot: CacheSlot,
}

impl IssuerQuery {
    /// The issuer's answer, which is remembered for the requests that follow.
    pub(super) async fn ask(self, api: &Api) -> IssuerAnswer {
        let token = self.slot.digest();
        let (IntrospectionAnswer { outcome, at, .. }, first) = self.issuer.ask(&self.token, &token).await;
        let outcome = outcome.map(|caller| api.tokens.keep_for(self.issuer.believed(), self.slot, caller, at));
        IssuerAnswer { token, outcome, first }
    }
}

/// IssuerAnswer: what an issuer said of one token.
pub(super) struct IssuerAnswer {
    token: TokenDigest,
    outcome: Result<Arc<VerifiedCaller>, IdentityError>,
    /// Whether this request made it say so.
    first: bool,
}

/// IdentificationInput: what is looked at.
#[derive(Clone, Copy)]
pub(super) struct IdentificationInput<'a> {
    pub(super) session: &'a Session,
    pub(super) address: Option<IpAddr>,
    /// The query as received.
    pub(super) query: Option<&'a str>,
    /// The query parameter that may carry the token, as the route says.
    pub(super) parameter: Option<&'a str>,
    pub(super) now: Timestamp,
    /// What the issuer said, where it has been asked.
    pub(super) answered: Option<&'a IssuerAnswer>,
    /// Whether failures and look-ups are counted: once a request.
    pub(super) counts: bool,
}

/// The caller; `None` where nothing was presented.
pub(super) fn identify(
    edge: &Edge,
    api: &Api,
    asked: IdentificationInput<'_>,
) -> Result<Option<Arc<VerifiedCaller>>, IdentificationStop> {
    let shown = read::certificate(asked.session);
    let named = shown
        .map(|shown| by_certificate(shown, api, asked.now))
        .transpose()
        .map_err(IdentificationStop::Identity)?
        .flatten();
    let credentials = read::credentials(asked.session.req_header(), &api.keys);
    let in_query = match (asked.parameter, asked.query) {
        (Some(name), Some(written)) => {
            // Two tokens are two credentials.
            query::single(written, name).map_err(|_| IdentificationStop::Identity(IdentityError::SeveralCredentials))?
        }
        // A server may believe a token in the query on any route (RFC 6750, section 2.3): beside another credential
        // it would speak for somebody else.
        (None, Some(written))
            if query::parameters(written).any(|(name, _)| query::is_taken_for(&name, query::TOKEN)) =>
        {
            let alone = named.is_none() && matches!(credentials.presented(), Ok(PresentedCredential::Anonymous));
            return if alone { Ok(None) } else { Err(IdentificationStop::Identity(IdentityError::SeveralCredentials)) };
        }
        _ => None,
    };
    let credentials = credentials.with_query_token(in_query.as_deref());
    let failed = |error| {
        // Only what had to be verified, or may be a guess: a retried token or key that has expired locks nobody out.
        let asked_for =
            error != IdentityError::KeysUnavailable && asked.answered.is_some_and(|answered| answered.first);
        let costly = asked_for || matches!(error, IdentityError::BadSignature | IdentityError::UnknownKey);
        let guessed = matches!(error, IdentityError::UnknownApiKey | IdentityError::WrongSecret);
        if let (Some(address), true) = (asked.address, asked.counts && (costly || guessed)) {
            edge.failures.count(address, asked.now);
        }
        IdentificationStop::Identity(error)
    };
    let counted = |result| {
        if asked.counts {
            edge.metrics.token_cache(result);
        }
    };
    let has_failed_too_often = || asked.address.is_some_and(|address| edge.failures.is_over(address, asked.now));
    let presented = credentials.presented().map_err(failed)?;
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
            return api.keys.verify(key, asked.now).map(Some).map_err(failed);
        }
    };
    match api.tokens.look_up(token, asked.now) {
        Lookup::Found(verified) => {
            if asked.answered.is_none() {
                counted(CacheResult::Hit);
            }
            bound(verified, thumbprint).map(Some)
        }
        Lookup::Missing(slot) => {
            if let Some(answered) = asked.answered {
                // Another token than was asked about: the policy has changed meanwhile, and with it where tokens stand.
                let same = answered.token == slot.digest();
                let outcome = if same { answered.outcome.clone() } else { Err(IdentityError::KeysUnavailable) };
                return bound(outcome.map_err(failed)?, thumbprint).map(Some);
            }
            counted(CacheResult::Miss);
            if has_failed_too_often() {
                return Err(IdentificationStop::Refused(Reason::TooManyFailures));
            }
            match api.issuers.verify(token, asked.now) {
                Ok(verified) => bound(api.tokens.keep(slot, verified, asked.now), thumbprint).map(Some),
                Err(VerificationFailure::Refused(error)) => Err(failed(error)),
                Err(VerificationFailure::Ask(issuer)) => {
                    match issuer.known(&slot.digest()).map(|answer| answer.outcome) {
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

/// The caller that a certificate names to this API; `None` where the API asks no certificate about callers.
///
/// # Errors
/// Nobody vouches for it any more, which ends whatever comes over its connection, or nobody does whom the API believes.
fn by_certificate(
    shown: &PeerCertificate,
    api: &Api,
    now: Timestamp,
) -> Result<Option<Result<Arc<VerifiedCaller>, IdentityError>>, IdentityError> {
    let judged = shown.judged(now);
    let named = judged.result.as_ref().map_err(|error| *error)?;
    if api.certificates.is_empty() {
        return Ok(None);
    }
    if !api.certificates.contains(&named.source) {
        return Err(IdentityError::CertificateUntrusted);
    }
    Ok(Some(named.caller.clone()))
}

/// A token that names the certificate it was given to goes with that one only (RFC 8705, section 3).
fn bound(verified: Arc<VerifiedCaller>, thumbprint: Option<&str>) -> Result<Arc<VerifiedCaller>, IdentificationStop> {
    let to = verified.subject.claims.get("cnf").and_then(|cnf| cnf.get("x5t#S256"));
    match to {
        Some(to) if to.as_str().is_none_or(|to| Some(to) != thumbprint) => {
            Err(IdentificationStop::Identity(IdentityError::BoundElsewhere))
        }
        _ => Ok(verified),
    }
}
