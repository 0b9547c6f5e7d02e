//! KeyFile: the live API keys of one file, and the reloading of a changed file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::findings::{FindingSummary, summarize_findings};
use super::fingerprint::{FileObservation, Fingerprint};
use super::refresh::RefreshResult;
use super::{Live, file};
use crate::document::{Finding, Findings, Sources};
use crate::identity::key_file::{self, KeyEntry};
use crate::identity::{Credentials, IdentityError, KeyRing, PresentedCredential, PresentedKey, VerifiedCaller};
use crate::settings::ApiKeySource;
use crate::vocabulary::{Proof, Timestamp};

/// The most bytes of a file of keys: about fifty thousand keys.
pub const MAX_BYTES: u64 = 16 << 20;

/// KeyFile: one file of API keys, which a reload replaces as a whole or not at all.
pub struct KeyFile {
    source: ApiKeySource,
    ring: Live<KeyRing>,
    state: Live<KeyFileState>,
    /// The last observed state of the file; its lock is held while the file is read.
    observed: Mutex<Fingerprint>,
}

/// KeyFileState: the state of one file of keys that `/ready` reports.
#[derive(Debug, Clone)]
pub struct KeyFileState {
    /// The number of live keys, revoked and expired ones included.
    pub keys: usize,
    /// The time since which these keys are live.
    pub since: SystemTime,
    /// Why the newest version of the file is not live: its first finding.
    pub refused: Option<Box<str>>,
}

/// Reads the entries of the file of keys at `path`, or the findings about it.
pub fn read(path: &Path) -> Result<Vec<KeyEntry>, (Findings, Sources)> {
    parse_entries(FileObservation::new(file::read_file(path, MAX_BYTES)))
}

impl KeyFile {
    /// Opens and reads the file that `source` names, which must be valid.
    ///
    /// # Errors
    /// Fails with one line per finding if the file is not valid.
    pub fn open(source: &ApiKeySource) -> Result<Arc<Self>, Vec<String>> {
        let observation = FileObservation::new(file::read_file(&source.file, MAX_BYTES));
        let observed = Mutex::new(observation.fingerprint.clone());
        let entries =
            parse_entries(observation).map_err(|(findings, sources)| summarize_findings(&findings, &sources).lines)?;
        let state = KeyFileState { keys: entries.len(), since: SystemTime::now(), refused: None };
        let ring = key_file::build_ring(entries, &source.name, &source.claim_limits);
        Ok(Arc::new(Self { source: source.clone(), ring: Live::new(ring), state: Live::new(state), observed }))
    }

    /// The name of the source in the settings.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.source.file
    }

    /// The number of live keys, and the last refusal.
    pub fn state(&self) -> Arc<KeyFileState> {
        self.state.load()
    }

    /// Reads the file; if it changed, publishes it as a whole or keeps the live keys. Blocks while it reads.
    pub fn refresh(&self) -> RefreshResult {
        // A reader that panicked has changed only the fingerprint, so that the same file is not tried again.
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        let observe = || FileObservation::new(file::read_file(&self.source.file, MAX_BYTES));
        let first = observe();
        if first.fingerprint == *observed {
            return RefreshResult::Unchanged;
        }
        let settled = first.settle(observe);
        *observed = settled.fingerprint.clone();
        match parse_entries(settled) {
            Ok(entries) => {
                let keys = entries.len();
                let ring = key_file::build_ring(entries, &self.source.name, &self.source.claim_limits);
                self.ring.publish(ring.reuse_callers(&self.ring.load()));
                self.state.publish(KeyFileState { keys, since: SystemTime::now(), refused: None });
                tracing::info!(source = self.name(), keys, "API keys are live");
                RefreshResult::Published
            }
            Err((findings, sources)) => {
                let FindingSummary { lines, .. } = summarize_findings(&findings, &sources);
                for line in &lines {
                    tracing::error!(source = self.name(), "{line}");
                }
                tracing::error!(source = self.name(), "file of API keys refused, the last good one stays live");
                let refused = lines.first().map(|line| line.as_str().into());
                self.state.publish(KeyFileState { refused, ..KeyFileState::clone(&self.state()) });
                RefreshResult::Refused
            }
        }
    }
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KeyFile").field("source", &self.source).finish_non_exhaustive()
    }
}

/// ApiKeys: the files of keys that one API accepts; no two of them are presented in the same way.
#[derive(Debug, Clone, Default)]
pub struct ApiKeys(Vec<Arc<KeyFile>>);

impl ApiKeys {
    /// The keys of these files.
    pub fn new(files: Vec<Arc<KeyFile>>) -> Self {
        Self(files)
    }

    /// The headers that carry keys, as the settings spell them.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|file| file.source.header.as_deref())
    }

    /// Whether HTTP Basic carries keys.
    pub fn accepts_basic(&self) -> bool {
        self.0.iter().any(|file| file.source.basic)
    }

    /// Adds every possible key among a request's headers to `credentials`.
    pub fn collect_keys<'a, I>(
        &'a self,
        mut credentials: Credentials<'a>,
        values: impl Fn(&str) -> I,
    ) -> Credentials<'a>
    where
        I: IntoIterator<Item = &'a [u8]>,
    {
        for header in self.headers() {
            credentials = credentials.with_keys(header, values(header));
        }
        if self.accepts_basic() { credentials.with_basic() } else { credentials }
    }

    /// Verifies a presented key against the live keys at `now`, and returns its caller.
    pub fn verify(
        &self,
        presented: PresentedCredential<'_>,
        now: Timestamp,
    ) -> Result<Arc<VerifiedCaller>, IdentityError> {
        let from = |file: &&Arc<KeyFile>| match presented {
            PresentedCredential::Basic(_) => file.source.basic,
            PresentedCredential::Key { header, .. } => file.source.header.as_deref() == Some(header),
            PresentedCredential::Anonymous | PresentedCredential::Token(_) => false,
        };
        let file = self.0.iter().find(from).ok_or(IdentityError::UnknownScheme)?;
        file.ring.load().verify(&PresentedKey::read(presented)?, now)
    }

    /// Whether `caller` could still authenticate: the key that it used, if any, has not changed since.
    pub fn is_still_valid(&self, caller: &Arc<VerifiedCaller>) -> bool {
        if caller.subject.proof != Proof::ApiKey {
            return true;
        }
        let id = caller.subject.id.as_ref();
        let file = self.0.iter().find(|file| id.is_some_and(|id| *id.source == *file.name()));
        file.is_some_and(|file| file.ring.load().is_current(caller))
    }
}

fn parse_entries(observation: FileObservation) -> Result<Vec<KeyEntry>, (Findings, Sources)> {
    let mut findings = Findings::default();
    let sources = observation.sources.map_err(|failure| {
        let finding: Finding = failure.into_finding();
        findings.push(finding);
        (std::mem::take(&mut findings), Sources::default())
    })?;
    key_file::read(&sources, 0, &mut findings).ok_or((findings, sources))
}

#[cfg(test)]
mod tests;
