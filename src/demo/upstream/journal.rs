//! Journal: the last requests that reached the upstream, to prove that a refused one did not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Request;

/// The most requests that are stored.
const MAX_ENTRIES: usize = 1000;

/// Journal: the number of all requests and the last 1,000 of them; clones share one journal.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<JournalPages>>);

#[derive(Debug, Default)]
struct JournalPages {
    total: u64,
    last: VecDeque<JournalEntry>,
}

impl Journal {
    /// The number of requests since the start, including those no longer stored.
    pub fn total(&self) -> u64 {
        self.pages().total
    }

    /// The stored requests, oldest first.
    pub fn requests(&self) -> Vec<JournalEntry> {
        self.pages().last.iter().cloned().collect()
    }

    /// The newest request.
    pub fn last(&self) -> Option<JournalEntry> {
        self.pages().last.back().cloned()
    }

    pub(super) fn record(&self, entry: JournalEntry) {
        let mut pages = self.pages();
        pages.total = pages.total.saturating_add(1);
        if pages.last.len() == MAX_ENTRIES {
            pages.last.pop_front();
        }
        pages.last.push_back(entry);
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
    /// The request target as received, including the query.
    pub target: String,
    /// The header fields: names in lower case, values of one name in the order of arrival.
    pub headers: Vec<(String, String)>,
}

impl JournalEntry {
    /// The first value of the header `name`, regardless of case.
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
