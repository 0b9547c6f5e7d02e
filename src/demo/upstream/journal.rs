//! Journal: the last requests that reached the upstream, for the proof that a refused one did not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Request;

/// How many requests are remembered.
const LENGTH: usize = 1000;

/// Journal: the count of all requests and the last 1,000 of them; a clone reads the same journal.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<JournalPages>>);

#[derive(Debug, Default)]
struct JournalPages {
    total: u64,
    last: VecDeque<JournalEntry>,
}

impl Journal {
    /// Number of requests since the start; forgotten ones count.
    pub fn total(&self) -> u64 {
        self.pages().total
    }

    /// Requests that are remembered, oldest first.
    pub fn requests(&self) -> Vec<JournalEntry> {
        self.pages().last.iter().cloned().collect()
    }

    /// Newest request.
    pub fn last(&self) -> Option<JournalEntry> {
        self.pages().last.back().cloned()
    }

    pub(super) fn record(&self, seen: JournalEntry) {
        let mut pages = self.pages();
        pages.total = pages.total.saturating_add(1);
        if pages.last.len() == LENGTH {
            pages.last.pop_front();
        }
        pages.last.push_back(seen);
    }

    fn pages(&self) -> MutexGuard<'_, JournalPages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// JournalEntry: one request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The method.
    pub method: String,
    /// The request target, query included, in the spelling that arrived.
    pub target: String,
    /// Names in lower case and values, in the order of arrival within a name.
    pub headers: Vec<(String, String)>,
}

impl JournalEntry {
    /// First value of the header `name`, in lower case or not.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Self {
            method: request.method().as_str().to_owned(),
            target: request.uri().to_string(),
            headers: request.headers().iter().map(|(n, v)| (n.as_str().to_owned(), text(v.as_bytes()))).collect(),
        }
    }
}
