//! FileObservation: the files at a watched path at one time, and waiting until a writer has finished.

use std::time::{Duration, Instant};

use crate::document::{Finding, Sources};

use super::file::{self, ReadFailure};

/// How long the files must stay unchanged before they are loaded, because a writer may not have finished.
const SETTLE_INTERVAL: Duration = Duration::from_millis(50);

/// How long to wait for files that keep changing.
pub(super) const SETTLE_TIMEOUT: Duration = Duration::from_millis(500);

/// FileObservation: the files at a path at one time.
pub(super) struct FileObservation {
    pub(super) fingerprint: Fingerprint,
    pub(super) sources: Result<Sources, ReadFailure>,
    /// The cases beside a policy; empty if there are none.
    pub(super) cases: Result<Sources, Finding>,
}

/// Fingerprint: identifies the state of the files, to detect a change.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Fingerprint {
    /// The hash of the files, and that of the cases beside them or the reason why those cannot be read.
    Content([u8; 32], Option<Result<[u8; 32], String>>),
    Gone,
    Unreadable(String),
}

impl Fingerprint {
    /// Whether both have the same policy files; the cases beside them may differ.
    pub(super) fn is_same_policy(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Content(one, _), Self::Content(two, _)) if one == two)
    }
}

impl FileObservation {
    pub(super) fn new(sources: Result<Sources, ReadFailure>) -> Self {
        let fingerprint = match &sources {
            Ok(sources) => Fingerprint::Content(file::hash_sources(sources), None),
            Err(ReadFailure::Gone(_)) => Fingerprint::Gone,
            Err(ReadFailure::Unreadable(finding)) => Fingerprint::Unreadable(finding.message.clone()),
        };
        Self { fingerprint, sources, cases: Ok(Sources::default()) }
    }

    /// Adds the cases beside the policy.
    pub(super) fn with_cases(mut self, cases: Result<Sources, Finding>) -> Self {
        if let Fingerprint::Content(_, fingerprint) = &mut self.fingerprint {
            *fingerprint = Some(cases.as_ref().map(file::hash_sources).map_err(|finding| finding.message.clone()));
        }
        self.cases = cases;
        self
    }

    /// Observes again until two consecutive observations are the same, or the timeout ends.
    pub(super) fn settle(self, observe: impl Fn() -> Self) -> Self {
        let end = Instant::now() + SETTLE_TIMEOUT;
        let mut last = self;
        loop {
            std::thread::sleep(SETTLE_INTERVAL);
            let next = observe();
            let still = next.fingerprint == last.fingerprint && next.is_whole();
            last = next;
            if still || Instant::now() >= end {
                return last;
            }
        }
    }

    /// Whether every text ends in a line feed; a text that does not is probably still being written.
    fn is_whole(&self) -> bool {
        let mut texts = self.sources.iter().chain(&self.cases).flat_map(Sources::iter);
        texts.all(|(_, source)| source.text.ends_with('\n'))
    }
}
