//! ConnectionDeadlines: the times that an exchange sets for its connection.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

type StreamCheck = Box<dyn FnMut() -> Result<(), &'static str> + Send>;

/// ConnectionDeadlines: whether the next byte begins a header, and what to check while nothing flows.
///
/// The exchange sets them and the connection reads them, both in the task of the session that they share.
#[derive(Default)]
pub struct ConnectionDeadlines {
    expects_header: AtomicBool,
    has_header: AtomicBool,
    watch: Mutex<Option<StreamCheck>>,
    ended: OnceLock<&'static str>,
}

impl fmt::Debug for ConnectionDeadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionDeadlines").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl ConnectionDeadlines {
    /// Expects the next byte to begin the header of another request.
    pub fn expect_header(&self) {
        self.expects_header.store(true, Ordering::Relaxed);
    }

    /// Marks a header as complete.
    ///
    /// The bytes alone do not show it: a client may send the beginning of its next header with the end of a request.
    pub fn end_header(&self) {
        self.expects_header.store(false, Ordering::Relaxed);
        self.has_header.store(true, Ordering::Relaxed);
    }

    /// Sets the check of the exchange while the client is silent; an error ends the connection, with a code for the
    /// records.
    pub fn watch(&self, watch: impl FnMut() -> Result<(), &'static str> + Send + 'static) {
        *self.lock() = Some(Box::new(watch));
    }

    /// Removes the check: the exchange is over.
    pub fn unwatch(&self) {
        *self.lock() = None;
    }

    /// The code for the records, where the check has ended the connection.
    pub fn ended(&self) -> Option<&'static str> {
        self.ended.get().copied()
    }

    pub(super) fn takes_header(&self) -> bool {
        self.expects_header.swap(false, Ordering::Relaxed)
    }

    pub(super) fn takes_header_end(&self) -> bool {
        self.has_header.swap(false, Ordering::Relaxed)
    }

    pub(super) fn is_watched(&self) -> bool {
        self.lock().is_some()
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let checked = self.lock().as_mut().map_or(Ok(()), |watch| watch());
        checked.inspect_err(|code| {
            self.ended.get_or_init(|| *code);
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<StreamCheck>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
