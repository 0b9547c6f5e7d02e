//! ConnectionDeadlines: what the edge tells a connection about the time that its client has.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pingora::protocols::Stream;
use pingora::protocols::tls::TlsStream;

use super::{BufferedSocket, Connection};

type StreamCheck = Box<dyn FnMut() -> Result<(), &'static str> + Send>;

/// ConnectionDeadlines: whether the next byte begins a header, and who is to be asked while nothing flows.
///
/// The edge speaks and the connection listens, both in the task of the one session that they share.
#[derive(Default)]
pub struct ConnectionDeadlines {
    expects_header: AtomicBool,
    has_header: AtomicBool,
    watch: Mutex<Option<StreamCheck>>,
    ended: OnceLock<&'static str>,
}

impl fmt::Debug for ConnectionDeadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl ConnectionDeadlines {
    /// The pace of a stream, where a listener of this process has made it.
    pub fn of(stream: &Stream) -> Option<&Self> {
        // A box of a stream is a stream as well: what is asked for stands inside.
        let stream = (**stream).as_any();
        let plain = stream.downcast_ref::<Connection<BufferedSocket>>().map(|connection| &connection.pace);
        plain.or_else(|| {
            stream.downcast_ref::<Connection<TlsStream<BufferedSocket>>>().map(|connection| &connection.pace)
        })
    }

    /// Says that the next byte begins the header of another request.
    pub fn expect_header(&self) {
        self.expects_header.store(true, Ordering::Relaxed);
    }

    /// Says that a header is complete: of a client that sends its next request before the answer, the beginning of one
    /// header may have come with the end of the last request, so that its bytes alone do not tell.
    pub fn end_header(&self) {
        self.expects_header.store(false, Ordering::Relaxed);
        self.has_header.store(true, Ordering::Relaxed);
    }

    /// Says whom to ask whether the exchange may go on while the client is silent; an error ends the connection, with
    /// the word for the records.
    pub fn watch(&self, watch: impl FnMut() -> Result<(), &'static str> + Send + 'static) {
        *self.lock() = Some(Box::new(watch));
    }

    /// Says that the exchange is over: nobody is asked any more.
    pub fn unwatch(&self) {
        *self.lock() = None;
    }

    /// The word for the records, where the watch has ended the connection.
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
        checked.inspect_err(|word| {
            self.ended.get_or_init(|| *word);
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<StreamCheck>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
