//! Introspector: token introspection at one issuer (RFC 7662), with a cache and a budget of calls.

mod budget;
mod call;
mod plan;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::Live;
use super::issuer_error::IssuerError;
use super::verified::{Generation, TokenDigest};
use crate::identity::{IdentityError, IntrospectionResponse, Issuer, VerifiedCaller};
use crate::vocabulary::Timestamp;
use budget::CallBudget;
use call::IntrospectionEndpoint;

pub use plan::{ClientAuth, IntrospectionPlan};

/// Introspector: introspects the tokens of one issuer, and shares its recent answers.
pub struct Introspector {
    issuer: Issuer,
    plan: IntrospectionPlan,
    endpoint: IntrospectionEndpoint,
    /// Requests with the same token wait here for one shared answer.
    answers: Cache<TokenDigest, IntrospectionAnswer>,
    calls: Semaphore,
    budget: CallBudget,
    generation: Arc<Generation>,
    counts: [AtomicU64; IntrospectionOutcome::ALL.len()],
    last_error: Live<Option<Box<str>>>,
}

/// IntrospectionAnswer: the result of introspecting one token.
#[derive(Debug, Clone)]
pub struct IntrospectionAnswer {
    /// The caller, or why there is none; [`IdentityError::KeysUnavailable`] if the issuer did not answer.
    pub outcome: Result<Arc<VerifiedCaller>, IdentityError>,
    /// The time of the call.
    pub at: Timestamp,
    until: Instant,
}

/// IntrospectionOutcome: how the introspection of a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntrospectionOutcome {
    /// The token has a caller.
    Accepted,
    /// The token is not active, or not meant for this gateway.
    Refused,
    /// The issuer gave no valid answer.
    Failed,
    /// The call was not made, because the budget of this second was spent.
    Withheld,
}

impl IntrospectionOutcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Refused, Self::Failed, Self::Withheld];
}

/// The most answers that are kept; the least used ones are evicted, and requested again within the budget.
const MAX_ANSWERS: usize = 16_384;

/// How long an accepted or failed answer is shared with concurrent requests; accepted callers are cached elsewhere.
const SHARED_LIFETIME: Duration = Duration::from_secs(1);

impl Introspector {
    /// Creates the introspector of `issuer`; it makes no call yet.
    pub fn open(
        issuer: Issuer,
        plan: IntrospectionPlan,
        generation: Arc<Generation>,
    ) -> Result<Arc<Self>, IssuerError> {
        let endpoint = IntrospectionEndpoint::new(&plan)?;
        let (calls, budget) = (Semaphore::new(plan.at_once), CallBudget::new(plan.per_second));
        let answers = Cache::new(MAX_ANSWERS);
        let (counts, last_error) = (Default::default(), Live::new(None));
        Ok(Arc::new(Self { issuer, plan, endpoint, answers, calls, budget, generation, counts, last_error }))
    }

    /// The issuer of the tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The seconds for which an accepted answer may be cached.
    pub fn cache_seconds(&self) -> u64 {
        self.plan.cache
    }

    /// Returns the recent answer about a token, if it is still valid.
    pub fn recent_answer(&self, token: &TokenDigest) -> Option<IntrospectionAnswer> {
        self.answers.get(token).filter(IntrospectionAnswer::is_valid)
    }

    /// Introspects `token`; returns the answer, and whether this request made the call to the issuer.
    ///
    /// It waits for the network, for at most the timeout per attempt. Requests with the same token share one call. If
    /// the request that makes the call is dropped, the next request makes the call.
    pub async fn introspect(&self, token: &str, digest: &TokenDigest) -> (IntrospectionAnswer, bool) {
        loop {
            match self.answers.get_value_or_guard_async(digest).await {
                Ok(answer) if answer.is_valid() => return (answer, false),
                Ok(_) => {
                    self.answers.remove_if(digest, |answer| !answer.is_valid());
                }
                Err(guard) => {
                    let answer = self.request_answer(token).await;
                    // This fails if the cache was cleared meanwhile, but the answer is valid nevertheless.
                    guard.insert(answer.clone()).ok();
                    return (answer, true);
                }
            }
        }
    }

    /// Forgets every answer, so that each token is introspected again (SIGHUP, admin).
    pub fn forget_answers(&self) {
        self.answers.clear();
        self.generation.bump();
    }

    /// The number of introspections with this outcome since the start.
    pub fn count(&self, outcome: IntrospectionOutcome) -> u64 {
        self.counter(outcome).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Why the last call had no valid answer; `None` if it had one.
    pub fn last_error(&self) -> Arc<Option<Box<str>>> {
        self.last_error.load()
    }

    async fn request_answer(&self, token: &str) -> IntrospectionAnswer {
        let at = now();
        let (ended, outcome) = if self.budget.try_take() {
            self.call_endpoint(token).await
        } else {
            (IntrospectionOutcome::Withheld, Err(IdentityError::KeysUnavailable))
        };
        if let Some(counter) = self.counter(ended) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let lifetime = if ended == IntrospectionOutcome::Refused { self.plan.negative } else { SHARED_LIFETIME };
        IntrospectionAnswer { outcome, at, until: Instant::now() + lifetime }
    }

    async fn call_endpoint(&self, token: &str) -> (IntrospectionOutcome, Result<Arc<VerifiedCaller>, IdentityError>) {
        let answered = timeout(self.plan.timeout, async {
            let _permit = self.calls.acquire().await.map_err(|_| IssuerError::Timeout)?;
            self.endpoint.introspect(token).await
        });
        let result = answered.await.unwrap_or(Err(IssuerError::Timeout)).and_then(|(content_type, body)| {
            let introspected = IntrospectionResponse {
                content_type: content_type.as_ref().and_then(|value| value.to_str().ok()),
                body: &body,
                default_lifetime: self.plan.cache,
                accept_missing_audience: self.plan.accept_missing_audience,
            };
            match introspected.verify(&self.issuer, now()) {
                Err(IdentityError::KeysUnavailable) => Err(IssuerError::MalformedAnswer),
                verified => Ok(verified),
            }
        });
        self.log_transition(result.as_ref().err());
        match result {
            Ok(Ok(verified)) => (IntrospectionOutcome::Accepted, Ok(Arc::new(verified))),
            Ok(Err(error)) => (IntrospectionOutcome::Refused, Err(error)),
            Err(_) => (IntrospectionOutcome::Failed, Err(IdentityError::KeysUnavailable)),
        }
    }

    /// Logs when the issuer stops answering, and when it answers again.
    fn log_transition(&self, error: Option<&IssuerError>) {
        let before = self.last_error.load();
        if error.is_none() && before.is_none() {
            return;
        }
        let error: Option<Box<str>> = error.map(|error| error.to_string().into());
        if error == *before {
            return;
        }
        match error.as_deref() {
            Some(error) => tracing::warn!(issuer = &*self.issuer.name, error, "tokens cannot be introspected"),
            None => tracing::info!(issuer = &*self.issuer.name, "tokens can be introspected again"),
        }
        self.last_error.publish(error);
    }

    fn counter(&self, outcome: IntrospectionOutcome) -> Option<&AtomicU64> {
        self.counts.get(outcome as usize)
    }
}

impl fmt::Debug for Introspector {
    // It prints neither the secret nor a token.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Introspector").field("issuer", &self.issuer.name).finish_non_exhaustive()
    }
}

impl IntrospectionAnswer {
    fn is_valid(&self) -> bool {
        Instant::now() < self.until
    }
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
