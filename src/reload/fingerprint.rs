//! FileObservation: what stands at a watched path at one moment, and the waiting for a writer who is half-way through.

use std::time::{Duration, Instant};

use crate::document::{Finding, Sources};

use super::file::{self, ReadFailure};

/// How long the files must stay as they are before they are loaded: a writer may be half-way through.
const QUIET: Duration = Duration::from_millis(50);

/// How long files that keep changing are waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// FileObservation: what stands at the path now.
pub(super) struct FileObservation {
    pub(super) mark: Fingerprint,
    pub(super) found: Result<Sources, ReadFailure>,
    /// The cases beside a policy, none where there are none.
    pub(super) cases: Result<Sources, Finding>,
}

/// Fingerprint: what tells one look from another.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Fingerprint {
    /// The files, and the cases beside them or why they cannot be read.
    Content([u8; 32], Option<Result<[u8; 32], String>>),
    Gone,
    Unreadable(String),
}

impl Fingerprint {
    /// Whether both are of the same files, whatever the cases beside them.
    pub(super) fn is_same_policy(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Content(one, _), Self::Content(two, _)) if one == two)
    }
}

impl FileObservation {
    pub(super) fn from(found: Result<Sources, ReadFailure>) -> Self {
        let mark = match &found {
            Ok(sources) => Fingerprint::Content(file::hash(sources), None),
            Err(ReadFailure::Gone(_)) => Fingerprint::Gone,
            Err(ReadFailure::Unreadable(finding)) => Fingerprint::Unreadable(finding.message.clone()),
        };
        Self { mark, found, cases: Ok(Sources::default()) }
    }

    /// The same with the cases that stand beside the policy.
    pub(super) fn with_cases(mut self, cases: Result<Sources, Finding>) -> Self {
        if let Fingerprint::Content(_, mark) = &mut self.mark {
            *mark = Some(cases.as_ref().map(file::hash).map_err(|finding| finding.message.clone()));
        }
        self.cases = cases;
        self
    }

    /// What `again` sees as soon as two looks in a row are the same, or patience ends.
    pub(super) fn settled(self, again: impl Fn() -> Self) -> Self {
        let end = Instant::now() + PATIENCE;
        let mut last = self;
        loop {
            std::thread::sleep(QUIET);
            let next = again();
            let still = next.mark == last.mark && next.is_whole();
            last = next;
            if still || Instant::now() >= end {
                return last;
            }
        }
    }

    /// Whether every text ends with its line: one that does not is probably being written still.
    fn is_whole(&self) -> bool {
        let mut texts = self.found.iter().chain(&self.cases).flat_map(Sources::iter);
        texts.all(|(_, source)| source.text.ends_with('\n'))
    }
}
