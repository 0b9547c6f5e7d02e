//! Introspector: asks one issuer about tokens that only it can read (RFC 7662), seldom and within a budget.

mod budget;
mod call;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::Live;
use super::keys::KeyFeedError;
use super::verified::{Generation, TokenDigest};
use crate::identity::{IdentityError, IntrospectionResponse, Issuer, VerifiedCaller};
use crate::vocabulary::Timestamp;
use budget::CallBudget;
use call::IntrospectionEndpoint;

/// IntrospectionPlan: whom to ask, as whom, and how often at most.
#[derive(Clone)]
pub struct IntrospectionPlan {
    /// The introspection endpoint.
    pub url: Box<str>,
    /// The client as which it is asked.
    pub client_id: Box<str>,
    /// That client's secret.
    pub client_secret: Box<[u8]>,
    /// How the two are sent.
    pub auth: ClientAuth,
    /// Authorities for the endpoint's certificate instead of the built-in ones: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Whether tokens may be sent over plain HTTP to another machine.
    pub insecure_http: bool,
    /// How long one answer may take, the wait for a free call included.
    pub timeout: Duration,
    /// Seconds for which a good answer is believed, and for which a token without `exp` lives.
    pub cache: u64,
    /// How long a bad answer is believed.
    pub negative: Duration,
    /// Calls that may be under way at once.
    pub at_once: usize,
    /// Calls that may be made in a second.
    pub per_second: u32,
    /// Whether a token without `aud` is believed to be meant for us.
    pub accept_missing_audience: bool,
}

/// ClientAuth: how the gateway proves itself to the endpoint (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// With HTTP Basic.
    Basic,
    /// With `client_id` and `client_secret` in the form.
    Post,
}

/// Introspector: one issuer that is asked, and what it said a moment ago.
pub struct Introspector {
    issuer: Issuer,
    plan: IntrospectionPlan,
    endpoint: IntrospectionEndpoint,
    /// Who asks about a token that another request asks about waits here for the one answer.
    answers: Cache<TokenDigest, IntrospectionAnswer>,
    calls: Semaphore,
    budget: CallBudget,
    generation: Arc<Generation>,
    counts: [AtomicU64; IntrospectionOutcome::ALL.len()],
    last_error: Live<Option<Box<str>>>,
}

/// IntrospectionAnswer: what the issuer said of one token, or that it said nothing.
#[derive(Debug, Clone)]
pub struct IntrospectionAnswer {
    /// The caller, or why there is none; [`IdentityError::KeysUnavailable`] where the issuer said nothing.
    pub outcome: Result<Arc<VerifiedCaller>, IdentityError>,
    /// When it was asked.
    pub at: Timestamp,
    until: Instant,
}

/// IntrospectionOutcome: how a question about a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntrospectionOutcome {
    /// With a caller.
    Accepted,
    /// With a token that is not active, or not for us.
    Refused,
    /// Without an answer.
    Failed,
    /// Without a question: too many were asked in this second.
    Withheld,
}

impl IntrospectionOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Refused, Self::Failed, Self::Withheld];
}

/// Answers that are remembered; beyond that the least used are forgotten, and asked for again within the budget.
const ANSWERS: usize = 16_384;

/// How long an answer that is kept elsewhere, or none at all, serves those who ask at the same time.
const MOMENT: Duration = Duration::from_secs(1);

impl Introspector {
    /// The introspector of `issuer`; it asks nothing yet.
    pub fn open(
        issuer: Issuer,
        plan: IntrospectionPlan,
        generation: Arc<Generation>,
    ) -> Result<Arc<Self>, KeyFeedError> {
        let endpoint = IntrospectionEndpoint::new(&plan)?;
        let (calls, budget) = (Semaphore::new(plan.at_once), CallBudget::new(plan.per_second));
        let answers = Cache::new(ANSWERS);
        let (counts, last_error) = (Default::default(), Live::new(None));
        Ok(Arc::new(Self { issuer, plan, endpoint, answers, calls, budget, generation, counts, last_error }))
    }

    /// The issuer that is asked.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Seconds for which a good answer is believed.
    pub fn believed(&self) -> u64 {
        self.plan.cache
    }

    /// What was said of a token a moment ago, if that still counts.
    pub fn known(&self, token: &TokenDigest) -> Option<IntrospectionAnswer> {
        self.answers.get(token).filter(IntrospectionAnswer::counts)
    }

    /// What the issuer says of `token`, and whether this very call made it say so.
    ///
    /// It waits for the network, never longer than the timeout for each attempt; requests with the same token share
    /// one call. Where the one that made the call was dropped, the next one makes it.
    pub async fn ask(&self, token: &str, digest: &TokenDigest) -> (IntrospectionAnswer, bool) {
        loop {
            match self.answers.get_value_or_guard_async(digest).await {
                Ok(answer) if answer.counts() => return (answer, false),
                Ok(_) => {
                    self.answers.remove_if(digest, |answer| !answer.counts());
                }
                Err(guard) => {
                    let answer = self.answer(token).await;
                    // It fails where the place was emptied meanwhile: the answer is good all the same.
                    guard.insert(answer.clone()).ok();
                    return (answer, true);
                }
            }
        }
    }

    /// Forgets every answer, so that each token is asked about again (SIGHUP, admin).
    pub fn forget(&self) {
        self.answers.clear();
        self.generation.bump();
    }

    /// How often a question has ended so since the start.
    pub fn count(&self, asked: IntrospectionOutcome) -> u64 {
        self.counter(asked).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Why the last question had no answer; `None` where it had one.
    pub fn last_error(&self) -> Arc<Option<Box<str>>> {
        self.last_error.load()
    }

    async fn answer(&self, token: &str) -> IntrospectionAnswer {
        let at = clock();
        let (asked, outcome) = if self.budget.take() {
            self.call(token).await
        } else {
            (IntrospectionOutcome::Withheld, Err(IdentityError::KeysUnavailable))
        };
        if let Some(counter) = self.counter(asked) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let kept = if asked == IntrospectionOutcome::Refused { self.plan.negative } else { MOMENT };
        IntrospectionAnswer { outcome, at, until: Instant::now() + kept }
    }

    async fn call(&self, token: &str) -> (IntrospectionOutcome, Result<Arc<VerifiedCaller>, IdentityError>) {
        let answered = timeout(self.plan.timeout, async {
            let _free = self.calls.acquire().await.map_err(|_| KeyFeedError::Timeout)?;
            self.endpoint.ask(token).await
        });
        let judged = answered.await.unwrap_or(Err(KeyFeedError::Timeout)).and_then(|(content_type, body)| {
            let introspected = IntrospectionResponse {
                content_type: content_type.as_ref().and_then(|value| value.to_str().ok()),
                body: &body,
                default_lifetime: self.plan.cache,
                accept_missing_audience: self.plan.accept_missing_audience,
            };
            match introspected.verify(&self.issuer, clock()) {
                Err(IdentityError::KeysUnavailable) => Err(KeyFeedError::MalformedAnswer),
                judged => Ok(judged),
            }
        });
        self.tell(judged.as_ref().err());
        match judged {
            Ok(Ok(verified)) => (IntrospectionOutcome::Accepted, Ok(Arc::new(verified))),
            Ok(Err(error)) => (IntrospectionOutcome::Refused, Err(error)),
            Err(_) => (IntrospectionOutcome::Failed, Err(IdentityError::KeysUnavailable)),
        }
    }

    /// Says aloud when the issuer stops answering, and when it answers again.
    fn tell(&self, error: Option<&KeyFeedError>) {
        let before = self.last_error.load();
        if error.is_none() && before.is_none() {
            return;
        }
        let error: Option<Box<str>> = error.map(|error| error.to_string().into());
        if error == *before {
            return;
        }
        match error.as_deref() {
            Some(error) => tracing::warn!(issuer = &*self.issuer.name, error, "tokens cannot be asked about"),
            None => tracing::info!(issuer = &*self.issuer.name, "tokens can be asked about again"),
        }
        self.last_error.publish(error);
    }

    fn counter(&self, asked: IntrospectionOutcome) -> Option<&AtomicU64> {
        self.counts.get(asked as usize)
    }
}

impl fmt::Debug for Introspector {
    // Neither the secret nor any token.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Introspector").field("issuer", &self.issuer.name).finish_non_exhaustive()
    }
}

impl IntrospectionAnswer {
    fn counts(&self) -> bool {
        Instant::now() < self.until
    }
}

fn clock() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
