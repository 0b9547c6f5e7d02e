//! PolicyStore: the live policy of one API, and the reloading of a changed policy.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::document::{Findings, Sources};
use crate::policy::{self, PolicyVersion, Snapshot, locked};

use super::cases;
use super::changes::{self, LastComparison};
use super::file::{self, ReadFailure};
use super::findings::{FindingSummary, summarize_findings};
use super::fingerprint::{FileObservation, Fingerprint};
use super::{Live, LiveOption};

mod state;

pub use state::{PolicyEvent, PolicyRefresh, PolicyRole, PolicyState, RefusedReload};

/// How long to wait for requests that use the old version, so that it is freed here and not by such a request.
const RETIRE_TIMEOUT: Duration = Duration::from_millis(250);

/// PolicyStore: the policy of one API, which a reload replaces as a whole or not at all.
///
/// A new version that is written beside the old one and renamed into place is never loaded half-written. A file that
/// is written in place is loaded after 50 ms without a change, or after 500 ms of continuous changes. The watcher
/// triggers the reload only after the writer has closed the file or has paused for a second.
pub struct PolicyStore {
    api: Box<str>,
    path: PathBuf,
    issuers: Box<[Box<str>]>,
    live: LiveOption<Snapshot>,
    state: Live<PolicyState>,
    changes: Arc<LastComparison>,
    observed: Mutex<ObservedVersions>,
    role: PolicyRole,
    on_change: Box<OnChange>,
}

/// OnChange: the callback for changes; it receives the event and the snapshot that is live after it.
pub type OnChange = dyn Fn(&PolicyEvent, Option<&Arc<Snapshot>>) + Send + Sync;

impl std::fmt::Debug for PolicyStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PolicyStore").field("api", &self.api).field("path", &self.path).finish_non_exhaustive()
    }
}

impl PolicyStore {
    /// Opens the store of the policy at `path` and loads it; a policy that does not load leaves no live snapshot.
    ///
    /// `issuers` is passed to [`policy::load`]; `role` determines the log messages. `on_change` is called for every
    /// change, this first one included. It is called after the new state is published and before
    /// [`PolicyStore::refresh`] returns, and it must not call that function.
    pub fn open(
        api: impl Into<Box<str>>,
        path: impl Into<PathBuf>,
        issuers: Box<[Box<str>]>,
        role: PolicyRole,
        on_change: Box<OnChange>,
    ) -> Self {
        let store = Self {
            api: api.into(),
            path: path.into(),
            issuers,
            live: LiveOption::empty(),
            state: Live::new(PolicyState { version: None, since: SystemTime::now(), refused: None, withdrawn: None }),
            changes: Arc::default(),
            observed: Mutex::new(ObservedVersions::default()),
            role,
            on_change,
        };
        let observation = store.observe_files();
        store.apply_observation(observation, &mut store.lock_observed());
        store
    }

    /// The live snapshot; a request loads it once.
    pub fn load(&self) -> Option<Arc<Snapshot>> {
        self.live.load()
    }

    /// The state of the policy; never waits for a reload.
    pub fn state(&self) -> Arc<PolicyState> {
        self.state.load()
    }

    /// The changes of the last reload; `None` until a reload has been compared.
    pub fn last_diff(&self) -> Arc<Option<changes::PolicyComparison>> {
        self.changes.last()
    }

    /// The API's name.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// The path of the policy.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the files; if they changed, loads and publishes them as a whole, or keeps the live version.
    ///
    /// Blocks until the load has ended, and until the load of an earlier call has ended.
    pub fn refresh(&self) -> PolicyRefresh {
        let mut observed = self.lock_observed();
        let first = self.observe_files();
        if observed.is_unchanged(&first) {
            return PolicyRefresh::Unchanged;
        }
        let settled = first.settle(|| self.observe_files());
        if observed.is_unchanged(&settled) {
            return PolicyRefresh::Unchanged;
        }
        self.apply_observation(settled, &mut observed)
    }

    /// Makes the previous version live until the files change; returns `None` if there is none.
    ///
    /// It goes back one step only: the withdrawn version becomes live again only from changed files. Waits for a load
    /// that is in progress.
    pub fn rollback(&self) -> Option<PolicyVersion> {
        let mut observed = self.lock_observed();
        let previous = observed.previous.take()?;
        let snapshot = previous.snapshot;
        if let (Some(last), Some(live)) = (&observed.last, &observed.live)
            && last.is_same_policy(live)
        {
            observed.withdrawn = Some(last.clone());
        }
        let withdrawn = self.state().version.clone();
        observed.live = previous.fingerprint;
        let version = snapshot.version.clone();
        tracing::warn!(
            api = %self.api, policy = %version.name, version = %version.hash,
            withdrawn = withdrawn.as_ref().map(|withdrawn| &*withdrawn.hash),
            "policy is rolled back: the version before is live until the files change"
        );
        let old = self.live.load();
        self.live.publish(snapshot);
        let refused = self.state().refused.clone();
        self.state.publish(PolicyState {
            version: Some(version.clone()),
            since: SystemTime::now(),
            refused,
            withdrawn,
        });
        self.notify(&PolicyEvent::RolledBack(version.clone()));
        self.changes.compare_versions(&self.api, old, self.live.load());
        Some(version)
    }

    fn lock_observed(&self) -> MutexGuard<'_, ObservedVersions> {
        // A load that panicked has changed only the fingerprint, so that the same files are not tried again.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observe_files(&self) -> FileObservation {
        FileObservation::new(file::read_at_most(&self.path, file::MAX_BYTES)).with_cases(cases::read(&self.path))
    }

    fn apply_observation(&self, observation: FileObservation, observed: &mut ObservedVersions) -> PolicyRefresh {
        observed.last = Some(observation.fingerprint.clone());
        let mut findings = Findings::default();
        let mut sources = match observation.sources {
            Ok(sources) => sources,
            Err(failure) => {
                let gone = matches!(failure, ReadFailure::Gone(_));
                findings.push(failure.into_finding());
                return self.refuse_reload(gone, &findings, &Sources::default());
            }
        };
        let is_withdrawn =
            observed.withdrawn.as_ref().is_some_and(|fingerprint| fingerprint.is_same_policy(&observation.fingerprint));
        if is_withdrawn || observed.live.as_ref() == Some(&observation.fingerprint) {
            self.restore_state();
            return PolicyRefresh::Unchanged;
        }
        observed.withdrawn = None;
        let live = self.live.load();
        let is_live =
            observed.live.as_ref().is_some_and(|fingerprint| fingerprint.is_same_policy(&observation.fingerprint));
        if is_live && !live.as_ref().is_some_and(|live| live.model.cases_must_pass) {
            // Only cases changed, which this policy does not require to pass.
            observed.live = Some(observation.fingerprint);
            self.restore_state();
            return PolicyRefresh::Unchanged;
        }
        let mut loaded = policy::load(&sources, Some(&self.issuers));
        if let Some(candidate) = &loaded.snapshot {
            if let Some(live) = &live {
                loaded.findings.extend(locked::changes(live, candidate));
            }
            // The live policy's requirement counts too, so that no edit can drop it and break a case at the same time.
            let required = live.as_ref().is_some_and(|live| live.model.cases_must_pass);
            if required || candidate.model.cases_must_pass {
                let found =
                    cases::check_cases(candidate, &mut sources, observation.cases, &self.path, Some(&self.issuers));
                loaded.findings.extend(found);
            }
        }
        let Some(snapshot) = loaded.snapshot.filter(|_| !loaded.findings.has_errors()) else {
            return self.refuse_reload(false, &loaded.findings, &sources);
        };
        if is_live {
            // Only cases changed, and the live version passes them.
            observed.live = Some(observation.fingerprint);
            self.restore_state();
            return PolicyRefresh::Unchanged;
        }
        for note in summarize_findings(&loaded.findings, &sources).lines {
            tracing::info!(api = %self.api, "{note}");
        }
        let fingerprint = observed.live.replace(observation.fingerprint);
        // Only a live policy can be rolled back. The version before the previous one is dropped here.
        if let (PolicyRole::Live, Some(snapshot)) = (self.role, live) {
            observed.previous = Some(PreviousVersion { snapshot, fingerprint });
        }
        self.publish(Arc::new(snapshot))
    }

    fn publish(&self, snapshot: Arc<Snapshot>) -> PolicyRefresh {
        let version = snapshot.version.clone();
        let old = self.live.load();
        self.live.publish(snapshot);
        self.state.publish(PolicyState {
            version: Some(version.clone()),
            since: SystemTime::now(),
            refused: None,
            withdrawn: None,
        });
        let message = match self.role {
            PolicyRole::Live => "policy is live",
            PolicyRole::Candidate => "candidate is compared",
        };
        tracing::info!(api = %self.api, policy = %version.name, version = %version.hash, "{message}");
        self.notify(&PolicyEvent::Published(version.clone()));
        match self.role {
            PolicyRole::Live => {
                self.changes.compare_versions(&self.api, old, self.live.load());
            }
            PolicyRole::Candidate => retire_snapshot(old.as_ref()),
        }
        PolicyRefresh::Published(version)
    }

    fn restore_state(&self) {
        let state = self.state.load();
        let (Some(version), Some(_)) = (state.version.clone(), &state.refused) else { return };
        self.state.publish(PolicyState { refused: None, ..(*state).clone() });
        let message = match self.role {
            PolicyRole::Live if state.withdrawn.is_some() => {
                "policy files are back, the version before them stays live"
            }
            PolicyRole::Live => "policy files are the live ones again",
            PolicyRole::Candidate => "candidate files are the compared ones again",
        };
        tracing::info!(api = %self.api, policy = %version.name, version = %version.hash, "{message}");
        self.notify(&PolicyEvent::Restored(version));
    }

    fn refuse_reload(&self, gone: bool, findings: &Findings, sources: &Sources) -> PolicyRefresh {
        let FindingSummary { lines, json } = summarize_findings(findings, sources);
        for line in &lines {
            tracing::error!(api = %self.api, "{line}");
        }
        let state = self.state.load();
        let message = match (self.role, &state.version) {
            (PolicyRole::Live, Some(_)) => "policy refused, the last good one stays live",
            (PolicyRole::Live, None) => "policy refused and none is live: every request is refused",
            (PolicyRole::Candidate, Some(_)) => "candidate refused, the last good one is still compared",
            (PolicyRole::Candidate, None) => "candidate refused, nothing is compared",
        };
        let (policy, version) = state.version.as_ref().map(|live| (&*live.name, &*live.hash)).unzip();
        tracing::error!(api = %self.api, policy, version, "{message}");
        let refused = RefusedReload { at: SystemTime::now(), gone, findings: lines, json };
        self.state.publish(PolicyState { refused: Some(refused), ..(*state).clone() });
        let (event, refresh) = if gone {
            (PolicyEvent::Gone, PolicyRefresh::Gone)
        } else {
            (PolicyEvent::Refused, PolicyRefresh::Refused)
        };
        self.notify(&event);
        refresh
    }

    fn notify(&self, event: &PolicyEvent) {
        (self.on_change)(event, self.live.load().as_ref());
    }
}

/// ObservedVersions: the fingerprints of the last observed files and of the live version.
#[derive(Default)]
struct ObservedVersions {
    last: Option<Fingerprint>,
    live: Option<Fingerprint>,
    previous: Option<PreviousVersion>,
    /// The files of a version that was rolled back; they are ignored until other files have been observed.
    withdrawn: Option<Fingerprint>,
}

/// PreviousVersion: the version before the live one, and the fingerprint of its files.
struct PreviousVersion {
    snapshot: Arc<Snapshot>,
    fingerprint: Option<Fingerprint>,
}

impl ObservedVersions {
    fn is_unchanged(&self, observation: &FileObservation) -> bool {
        self.last.as_ref() == Some(&observation.fingerprint)
    }
}

/// Waits briefly until no request uses an old version, so that it is freed here.
fn retire_snapshot(old: Option<&Arc<Snapshot>>) {
    let Some(old) = old else { return };
    let end = Instant::now() + RETIRE_TIMEOUT;
    while Arc::strong_count(old) > 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests;
