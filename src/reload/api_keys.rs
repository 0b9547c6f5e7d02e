//! KeyFile: the API keys of one file as they are live, and the way in which a changed file takes effect.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::fingerprint::{FileObservation, Fingerprint};
use super::policy::{FindingSummary, summarize_findings};
use super::refresh::RefreshResult;
use super::{Live, file};
use crate::document::{Finding, Findings, Sources};
use crate::identity::key_file::{self, KeyEntry};
use crate::identity::{Credentials, IdentityError, KeyRing, PresentedCredential, PresentedKey, VerifiedCaller};
use crate::settings::ApiKeySource;
use crate::vocabulary::{Proof, Timestamp};

/// The most bytes that a file of keys may have: some fifty thousand keys.
pub const MOST_BYTES: u64 = 16 << 20;

/// KeyFile: one file of API keys; it is replaced whole, or stays.
pub struct KeyFile {
    source: ApiKeySource,
    ring: Live<KeyRing>,
    state: Live<KeyFileState>,
    /// What the last look saw; whoever holds it is the one who reads.
    seen: Mutex<Fingerprint>,
}

/// KeyFileState: what `/ready` says about one file of keys.
#[derive(Debug, Clone)]
pub struct KeyFileState {
    /// How many keys are live, revoked and expired ones included.
    pub keys: usize,
    /// Since when.
    pub since: SystemTime,
    /// Why the newest version of the file is not live: its first finding.
    pub refused: Option<Box<str>>,
}

/// Reads the file of keys at `path`: its entries, or what is wrong with it.
pub fn read(path: &Path) -> Result<Vec<KeyEntry>, (Findings, Sources)> {
    entries(FileObservation::from(file::read_file(path, MOST_BYTES)))
}

impl KeyFile {
    /// The file that `source` names, read once; it must be good.
    ///
    /// # Errors
    /// What is wrong with it, a line for each finding.
    pub fn open(source: &ApiKeySource) -> Result<Arc<Self>, Vec<String>> {
        let look = FileObservation::from(file::read_file(&source.file, MOST_BYTES));
        let seen = Mutex::new(look.mark.clone());
        let found = entries(look).map_err(|(findings, sources)| summarize_findings(&findings, &sources).lines)?;
        let state = KeyFileState { keys: found.len(), since: SystemTime::now(), refused: None };
        let ring = key_file::build_ring(found, &source.name, &source.claim_limits);
        Ok(Arc::new(Self { source: source.clone(), ring: Live::new(ring), state: Live::new(state), seen }))
    }

    /// Its name in the settings.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// Where it stands.
    pub fn path(&self) -> &Path {
        &self.source.file
    }

    /// What is live and what was refused.
    pub fn state(&self) -> Arc<KeyFileState> {
        self.state.load()
    }

    /// Reads the file, and where it changed publishes it whole, or keeps what is live. Blocks while it reads.
    pub fn refresh(&self) -> RefreshResult {
        // A reader that panicked has changed nothing but the mark, which keeps the file from being tried again.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let look = || FileObservation::from(file::read_file(&self.source.file, MOST_BYTES));
        let first = look();
        if first.mark == *seen {
            return RefreshResult::Unchanged;
        }
        let settled = first.settled(look);
        *seen = settled.mark.clone();
        match entries(settled) {
            Ok(found) => {
                let keys = found.len();
                let ring = key_file::build_ring(found, &self.source.name, &self.source.claim_limits);
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

/// ApiKeys: the files of keys that one API believes; no two of them are presented in the same way.
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
    pub fn takes_basic(&self) -> bool {
        self.0.iter().any(|file| file.source.basic)
    }

    /// `credentials` with whatever may be a key among a request's headers.
    pub fn among<'a, I>(&'a self, mut credentials: Credentials<'a>, values: impl Fn(&str) -> I) -> Credentials<'a>
    where
        I: IntoIterator<Item = &'a [u8]>,
    {
        for header in self.headers() {
            credentials = credentials.with_keys(header, values(header));
        }
        if self.takes_basic() { credentials.with_basic() } else { credentials }
    }

    /// The caller that a presented key proves at `now`, by the keys that are live at this moment.
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

    /// Whether `caller` could still prove himself: his key, if it was one, is as it was when he did.
    pub fn stand_by(&self, caller: &Arc<VerifiedCaller>) -> bool {
        if caller.subject.proof != Proof::ApiKey {
            return true;
        }
        let id = caller.subject.id.as_ref();
        let file = self.0.iter().find(|file| id.is_some_and(|id| *id.source == *file.name()));
        file.is_some_and(|file| file.ring.load().is_current(caller))
    }
}

fn entries(look: FileObservation) -> Result<Vec<KeyEntry>, (Findings, Sources)> {
    let mut findings = Findings::default();
    let sources = look.found.map_err(|unread| {
        let finding: Finding = unread.finding();
        findings.push(finding);
        (std::mem::take(&mut findings), Sources::default())
    })?;
    key_file::read(&sources, 0, &mut findings).ok_or((findings, sources))
}

#[cfg(test)]
mod tests;
