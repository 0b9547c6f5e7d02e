//! Comparison: the requests that a candidate policy decides differently from the live policy.

mod report;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{IntCounter, IntCounterVec};

use crate::audit::{DecisionId, Rfc3339Time};
use crate::decision::Decision;
use crate::policy::Snapshot;
use crate::reload::Live;
use crate::vocabulary::Cell;

use super::sampler::Sampler;
use super::slots::Slots;

pub use report::{ComparisonReport, DifferenceReport, ExampleReport, OutcomeChange, PolicyName};

/// The most kinds of differences that are counted separately.
const MAX_DIFFERENCES: usize = 500;

/// The most examples of one kind of difference.
const MAX_EXAMPLES: usize = 3;

/// The most log lines per second about one kind of difference, and about all.
const MAX_SAMPLES: (u64, u64) = (2, 20);

/// Comparison: the differences between one API's two policies since the later one was published.
pub struct Comparison {
    api: Box<str>,
    counters: IntCounterVec,
    pair: Live<PolicyPair>,
}

impl std::fmt::Debug for Comparison {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Comparison").field("api", &self.api).finish_non_exhaustive()
    }
}

struct PolicyPair {
    live: PolicyHandle,
    candidate: PolicyHandle,
    since: SystemTime,
    compared: AtomicU64,
    differences: Slots<Difference>,
    samples: Sampler,
}

/// PolicyHandle: a policy as a request holds it.
type PolicyHandle = Option<Arc<Snapshot>>;

impl PolicyPair {
    fn new(live: PolicyHandle, candidate: PolicyHandle, since: SystemTime) -> Self {
        let (compared, differences, samples) = (AtomicU64::new(0), Slots::new(MAX_DIFFERENCES), Sampler::default());
        Self { live, candidate, since, compared, differences, samples }
    }
}

/// PolicyDecision: the decision of one policy.
#[derive(Clone, Copy)]
pub struct PolicyDecision<'a> {
    /// The policy.
    pub policy: &'a Arc<Snapshot>,
    /// Its decision.
    pub decision: &'a Decision,
}

impl<'a> PolicyDecision<'a> {
    fn reason(&self) -> &'a str {
        self.decision.reason.full_code(Some(self.policy))
    }

    fn cell(&self) -> Option<&'a Cell> {
        self.policy.cell(self.decision.cell?)
    }
}

/// RequestSample: the properties of a request that an example may show; they include no values of the request.
#[derive(Debug, Clone, Copy)]
pub struct RequestSample<'a> {
    /// The decision's id.
    pub id: DecisionId,
    /// The time of the request.
    pub time: SystemTime,
    /// The method.
    pub method: &'a str,
    /// The template of the route in the live policy or in the candidate.
    pub route: Option<&'a str>,
}

struct Difference {
    change: OutcomeChange,
    operation: Box<str>,
    resource: Box<str>,
    live: Box<str>,
    candidate: Box<str>,
    count: AtomicU64,
    counter: Option<IntCounter>,
    samples: Sampler,
    examples: [OnceLock<ExampleReport>; MAX_EXAMPLES],
}

impl Comparison {
    pub(super) fn new(api: &str, counters: IntCounterVec) -> Self {
        let pair = Live::new(PolicyPair::new(None, None, UNIX_EPOCH));
        Self { api: api.into(), counters, pair }
    }

    /// Restarts the comparison with another live policy.
    pub fn publish_live(&self, live: Option<&Arc<Snapshot>>, now: SystemTime) {
        let candidate = self.pair.load().candidate.clone();
        self.pair.publish(PolicyPair::new(live.cloned(), candidate, now));
    }

    /// Restarts the comparison with another candidate.
    pub fn publish_candidate(&self, candidate: Option<&Arc<Snapshot>>, now: SystemTime) {
        let live = self.pair.load().live.clone();
        self.pair.publish(PolicyPair::new(live, candidate.cloned(), now));
    }

    /// Compares two decisions about one request; a refusal that shadow mode forwards counts as a refusal.
    pub fn observe(&self, live: PolicyDecision<'_>, candidate: PolicyDecision<'_>, request: RequestSample<'_>) {
        let pair = self.pair.load();
        // A request that began under other versions is not compared.
        let is = |own: &PolicyHandle, policy: &Arc<Snapshot>| own.as_ref().is_some_and(|own| Arc::ptr_eq(own, policy));
        if !is(&pair.live, live.policy) || !is(&pair.candidate, candidate.policy) {
            return;
        }
        pair.compared.fetch_add(1, Ordering::Relaxed);
        let (change, refusing, permitting) =
            match (live.decision.reason.is_permit(), candidate.decision.reason.is_permit()) {
                (false, true) => (OutcomeChange::WouldPermit, live, candidate),
                (true, false) => (OutcomeChange::WouldRefuse, candidate, live),
                _ => return,
            };
        let cell = refusing.cell().or(permitting.cell());
        let (operation, resource) = cell.map_or(("", ""), |cell| (cell.operation.name(), &*cell.resource));
        let (by_live, by_candidate) = (live.reason(), candidate.reason());
        let is = |known: &Difference| {
            (known.change, &*known.operation, &*known.resource) == (change, operation, resource)
                && (&*known.live, &*known.candidate) == (by_live, by_candidate)
        };
        let make = || Difference {
            change,
            operation: operation.into(),
            resource: resource.into(),
            live: by_live.into(),
            candidate: by_candidate.into(),
            count: AtomicU64::new(0),
            counter: self.open_counter(change, resource, refusing.reason(), operation),
            samples: Sampler::default(),
            examples: Default::default(),
        };
        let key = (change, operation, resource, by_live, by_candidate);
        let Some(difference) = pair.differences.get_or_insert(key, is, make) else { return };
        difference.count.fetch_add(1, Ordering::Relaxed);
        if let Some(counter) = &difference.counter {
            counter.inc();
        }
        difference.add_example(request);
        let second = request.time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if difference.samples.try_admit(second, MAX_SAMPLES.0) && pair.samples.try_admit(second, MAX_SAMPLES.1) {
            tracing::warn!(
                api = %self.api,
                decision = %request.id,
                change = change.word(),
                live = by_live,
                candidate = by_candidate,
                operation,
                resource,
                method = request.method,
                route = request.route,
                "the candidate decides differently"
            );
        }
    }

    /// The report of the comparison for the admin listener.
    pub fn report(&self) -> ComparisonReport {
        let pair = self.pair.load();
        let name = |policy: &PolicyHandle| policy.as_ref().map(|policy| policy.version.name.clone());
        let hash = |policy: &PolicyHandle| policy.as_ref().map(|policy| policy.version.hash.clone());
        let mut differences: Vec<DifferenceReport> = pair.differences.iter().map(Difference::report).collect();
        differences.sort_by(|one, two| {
            let key =
                |one: &DifferenceReport| (std::cmp::Reverse(one.count), one.resource.clone(), one.operation.clone());
            key(one).cmp(&key(two))
        });
        ComparisonReport {
            live: PolicyName { name: name(&pair.live), hash: hash(&pair.live) },
            candidate: PolicyName { name: name(&pair.candidate), hash: hash(&pair.candidate) },
            since: Rfc3339Time(pair.since),
            compared: pair.compared.load(Ordering::Relaxed),
            left_out: pair.differences.left_out(),
            differences,
        }
    }

    fn open_counter(&self, change: OutcomeChange, resource: &str, reason: &str, operation: &str) -> Option<IntCounter> {
        let labels = [&*self.api, change.word(), resource, reason, operation];
        self.counters.get_metric_with_label_values(&labels).ok()
    }
}

impl Difference {
    /// Adds the request as an example if there is room and no such example yet.
    fn add_example(&self, request: RequestSample<'_>) {
        let make = || ExampleReport { method: request.method.into(), route: request.route.map(Into::into) };
        for slot in &self.examples {
            let known = slot.get_or_init(make);
            if *known.method == *request.method && known.route.as_deref() == request.route {
                return;
            }
        }
    }

    fn report(&self) -> DifferenceReport {
        DifferenceReport {
            change: self.change,
            operation: self.operation.clone(),
            resource: self.resource.clone(),
            live: self.live.clone(),
            candidate: self.candidate.clone(),
            count: self.count.load(Ordering::Relaxed),
            examples: self.examples.iter().filter_map(|slot| slot.get().cloned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
