//! Connection: the streams that a listener hands to Pingora, one on the socket, one on what the client says.

mod frames;
mod deadlines;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef, TlsStream};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufStream, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::guard::LimitCounters;
use crate::metrics::Limit;

use frames::{InboundFrames, OutboundFrames};

pub use deadlines::ConnectionDeadlines;
pub use frames::{FrameBudget, H2_PREFACE};

#[cfg(test)]
mod tests;

/// A TLS record is at most 16 KiB, and rustls reads in small steps: one read of the socket for a record.
const TLS_READ_BUFFER: usize = 16 * 1024;
/// HTTP/1.1 and HTTP/2 read into larger buffers of their own; a buffer of one byte is always passed by.
const PLAIN_READ_BUFFER: usize = 1;
/// How often a connection on which nothing flows asks whether its exchange may go on.
const TICK: Duration = Duration::from_secs(1);
/// About one packet, so that a small header and a small body leave together.
const WRITE_BUFFER: usize = 1460;

/// BufferedSocket: an accepted socket with buffers.
///
/// Pingora keeps the setting of its own buffers to itself and starts a stream without any.
#[derive(Debug)]
pub struct BufferedSocket(BufStream<L4Stream>);

impl BufferedSocket {
    /// A wire that carries TLS.
    pub fn for_tls(socket: L4Stream) -> Self {
        Self(BufStream::with_capacity(TLS_READ_BUFFER, WRITE_BUFFER, socket))
    }

    /// A wire that carries HTTP as it is.
    pub fn plain(socket: L4Stream) -> Self {
        Self(BufStream::with_capacity(PLAIN_READ_BUFFER, WRITE_BUFFER, socket))
    }

    fn known(&self) -> &L4Stream {
        self.0.get_ref()
    }

    fn known_mut(&mut self) -> &mut L4Stream {
        self.0.get_mut()
    }
}

impl Drop for BufferedSocket {
    fn drop(&mut self) {
        // As Pingora does for its own buffers: bytes of an answer may be left when a session ends in an error.
        let _ = Pin::new(&mut self.0).poll_flush(&mut Context::from_waker(Waker::noop()));
    }
}

/// The deadlines of the connection below a stream, where a listener of this process has made it.
pub fn deadlines_of(stream: &Stream) -> Option<&ConnectionDeadlines> {
    // A box of a stream is a stream as well: the connection is inside.
    let stream = (**stream).as_any();
    let plain = stream.downcast_ref::<Connection<BufferedSocket>>().map(|connection| &connection.deadlines);
    plain.or_else(|| {
        stream.downcast_ref::<Connection<TlsStream<BufferedSocket>>>().map(|connection| &connection.deadlines)
    })
}

/// ConnectionRules: what a client may do on its connection, and where it is counted that it may do no more.
#[derive(Debug, Clone, Default)]
pub struct ConnectionRules {
    /// The time from the first byte of a header to its end.
    pub header_time: Duration,
    /// Bytes of a header block of HTTP/1.1 and of HTTP/2, and frames of HTTP/2.
    pub budget: FrameBudget,
    /// Where limits are counted.
    pub reached: Arc<LimitCounters>,
    /// The socket's other end.
    pub address: Option<IpAddr>,
}

/// Connection: a client's bytes after TLS, cut when a header does not arrive in time, is without end or its exchange may
/// not go on, and when HTTP/2 has frames that ask for nothing.
///
/// The bytes are looked at until a header block of HTTP/1.1 is complete, and for the frames of HTTP/2; never changed.
#[derive(Debug)]
pub struct Connection<S> {
    io: S,
    opening: Option<RequestHead>,
    rules: ConnectionRules,
    frames: Option<Box<(InboundFrames, OutboundFrames)>>,
    deadlines: ConnectionDeadlines,
    tick: Option<Pin<Box<Sleep>>>,
    h2c: bool,
}

/// RequestHead: the beginning of a request that has to be complete at a moment.
#[derive(Debug)]
struct RequestHead {
    until: Pin<Box<Sleep>>,
    awaits: HeadState,
}

#[derive(Debug)]
enum HeadState {
    Preface {
        missing: usize,
    },
    /// The bytes that a header may still have.
    Header(HeaderEndScanner, usize),
}

impl<S: IO> Connection<S> {
    /// A connection whose first request must have arrived at `deadline`, and each later one in its time from its
    /// first byte on; `h2c` where the client has begun with the HTTP/2 preface on a listener without TLS that takes it.
    pub fn new(io: S, deadline: Instant, rules: ConnectionRules, h2c: bool) -> Self {
        let h2 = h2c || matches!(io.selected_alpn_proto(), Some(ALPN::H2));
        let awaits = if h2 { HeadState::Preface { missing: H2_PREFACE.len() } } else { HeadState::header(&rules) };
        let opening = Some(RequestHead::new(deadline, awaits));
        let frames = h2.then(|| Box::new((InboundFrames::new(rules.budget), OutboundFrames::default())));
        Self { io, opening, rules, frames, deadlines: ConnectionDeadlines::default(), tick: None, h2c }
    }

    /// The end of the connection by `limit`.
    fn cut(&self, limit: Limit) -> Poll<io::Result<()>> {
        self.rules.reached.count(limit, self.rules.address);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, limit.key())))
    }

    /// Looks at what the client has sent.
    fn heed(&mut self, bytes: &[u8]) -> Option<Limit> {
        // Between two requests a client may rest for as long as connections are kept: time runs from the first
        // byte of the next header on.
        if !bytes.is_empty() && self.deadlines.takes_header() {
            let deadline = Instant::now() + self.rules.header_time;
            self.opening = Some(RequestHead::new(deadline, HeadState::header(&self.rules)));
        }
        match self.opening.as_mut().map(|opening| opening.goes_on(bytes)) {
            Some(HeadProgress::Ended) => self.opening = None,
            Some(HeadProgress::TooLong) => return Some(Limit::HeaderBytes),
            Some(HeadProgress::Open) | None => {}
        }
        self.frames.as_mut().and_then(|frames| frames.0.reaches(bytes))
    }

    /// Looks at what has been sent to the client.
    fn note(&mut self, bytes: &[u8]) {
        if let Some(frames) = &mut self.frames {
            frames.1.read(bytes, |limit| self.rules.reached.count(limit, self.rules.address));
        }
    }

    /// Pending, unless a deadline has passed or the exchange may not go on.
    fn waits(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.opening.as_mut().is_some_and(|opening| opening.until.as_mut().poll(cx).is_ready()) {
            return self.cut(Limit::HeaderTimeout);
        }
        while self.deadlines.is_watched() {
            let tick = self.tick.get_or_insert_with(|| Box::pin(sleep(TICK)));
            if tick.as_mut().poll(cx).is_pending() {
                break;
            }
            self.tick = None;
            if let Err(word) = self.deadlines.check() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, word)));
            }
        }
        Poll::Pending
    }

    fn known(&self) -> &S {
        &self.io
    }

    fn known_mut(&mut self) -> &mut S {
        &mut self.io
    }
}

impl RequestHead {
    fn new(deadline: Instant, awaits: HeadState) -> Self {
        Self { until: Box::pin(sleep_until(deadline)), awaits }
    }

    /// How far it is with these bytes.
    fn goes_on(&mut self, bytes: &[u8]) -> HeadProgress {
        let ended = match &mut self.awaits {
            HeadState::Preface { missing } => {
                *missing = missing.saturating_sub(bytes.len());
                *missing == 0
            }
            HeadState::Header(end, room) => {
                let ended = bytes.iter().any(|byte| end.is_at(*byte));
                if !ended && bytes.len() > *room {
                    return HeadProgress::TooLong;
                }
                *room = room.saturating_sub(bytes.len());
                ended
            }
        };
        if ended { HeadProgress::Ended } else { HeadProgress::Open }
    }
}

/// HeadProgress: how far the beginning of a request is.
enum HeadProgress {
    Open,
    Ended,
    TooLong,
}

impl HeadState {
    fn header(rules: &ConnectionRules) -> Self {
        Self::Header(HeaderEndScanner::default(), rules.budget.header_bytes)
    }
}

/// Finds the empty line after a header block, with bare LF too: this only ends a deadline, it judges nothing.
#[derive(Debug, Default)]
struct HeaderEndScanner {
    begun: bool,
    line_start: bool,
}

impl HeaderEndScanner {
    fn is_at(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' if self.line_start && self.begun => return true,
            b'\n' => self.line_start = true,
            b'\r' => {}
            _ => {
                self.begun = true;
                self.line_start = false;
            }
        }
        false
    }
}

impl<S: IO> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.deadlines.takes_header_end() {
            this.opening = None;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.io).poll_read(cx, buf);
        match polled {
            Poll::Ready(Ok(())) => match this.heed(buf.filled().get(before..).unwrap_or_default()) {
                Some(limit) => this.cut(limit),
                None => polled,
            },
            Poll::Ready(Err(_)) => polled,
            Poll::Pending => this.waits(cx),
        }
    }
}

#[async_trait]
impl<S: IO> Peek for Connection<S> {
    /// What the listener has found, without waiting: Pingora's own look reads 24 bytes with no limit of time, so that an
    /// idle client would hold the connection and a shorter request would hang.
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        let seen: &[u8] = if self.h2c { H2_PREFACE } else { &[] };
        let shown = seen.iter().copied().chain(std::iter::repeat(0));
        buf.iter_mut().zip(shown).for_each(|(byte, seen)| *byte = seen);
        Ok(true)
    }
}

impl Peek for BufferedSocket {}

impl AsyncRead for BufferedSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl Ssl for BufferedSocket {}

impl<S: IO> Ssl for Connection<S> {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.io.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.io.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.io.selected_alpn_proto()
    }
}

impl<S: IO> AsyncWrite for Connection<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = polled {
            this.note(buf.get(..written).unwrap_or_default());
        }
        polled
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(written)) = polled {
            bufs.iter().fold(written, |left, buf| {
                this.note(buf.get(..left.min(buf.len())).unwrap_or_default());
                left.saturating_sub(buf.len())
            });
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

impl AsyncWrite for BufferedSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

/// The parts of a stream that only pass through: closing and what is known of the socket.
macro_rules! pass_through {
    ([$($s:ident: $bound:ident)?] $stream:ty) => {
        #[async_trait]
        impl<$($s: $bound)?> Shutdown for $stream {
            async fn shutdown(&mut self) {
                if let Err(error) = AsyncWriteExt::shutdown(self).await {
                    tracing::debug!(%error, "cannot close a connection cleanly");
                }
            }
        }

        impl<$($s: $bound)?> UniqueID for $stream {
            fn id(&self) -> UniqueIDType {
                self.known().id()
            }
        }

        impl<$($s: $bound)?> GetTimingDigest for $stream {
            fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
                self.known().get_timing_digest()
            }

            fn get_read_pending_time(&self) -> std::time::Duration {
                self.known().get_read_pending_time()
            }

            fn get_write_pending_time(&self) -> std::time::Duration {
                self.known().get_write_pending_time()
            }
        }

        impl<$($s: $bound)?> GetProxyDigest for $stream {
            fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
                self.known().get_proxy_digest()
            }

            fn set_proxy_digest(&mut self, digest: ProxyDigest) {
                self.known_mut().set_proxy_digest(digest);
            }
        }

        impl<$($s: $bound)?> GetSocketDigest for $stream {
            fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
                self.known().get_socket_digest()
            }

            fn set_socket_digest(&mut self, digest: SocketDigest) {
                self.known_mut().set_socket_digest(digest);
            }
        }
    };
}

pass_through!([] BufferedSocket);
pass_through!([S: IO] Connection<S>);
