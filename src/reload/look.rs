//! Look: what stands at a watched path at one moment, and the waiting for a writer who is half-way through.

use std::time::{Duration, Instant};

use crate::document::Sources;

use super::file::{self, Unread};

/// How long the files must stay as they are before they are loaded: a writer may be half-way through.
const QUIET: Duration = Duration::from_millis(50);

/// How long files that keep changing are waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// Look: what stands at the path now.
pub(super) struct Look {
    pub(super) mark: Mark,
    pub(super) found: Result<Sources, Unread>,
}

/// Mark: what tells one look from another.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Mark {
    Content([u8; 32]),
    Gone,
    Unreadable(String),
}

impl Look {
    pub(super) fn from(found: Result<Sources, Unread>) -> Self {
        let mark = match &found {
            Ok(sources) => Mark::Content(file::hash(sources)),
            Err(Unread::Gone(_)) => Mark::Gone,
            Err(Unread::Unreadable(finding)) => Mark::Unreadable(finding.message.clone()),
        };
        Self { mark, found }
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
        match &self.found {
            Ok(sources) => sources.iter().all(|(_, source)| source.text.ends_with('\n')),
            Err(_) => true,
        }
    }
}
