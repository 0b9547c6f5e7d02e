//! Connection: the stream of a client that a listener hands to Pingora, with its limits and deadlines.

#[macro_use]
mod pass_through;
mod deadlines;
mod frames;
mod head;
mod socket;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef, TlsStream};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::guard::LimitCounters;
use crate::metrics::Limit;

use frames::{InboundFrames, OutboundFrames};
use head::{HeadProgress, RequestHead};

pub use deadlines::ConnectionDeadlines;
pub use frames::{FrameBudget, H2_PREFACE};
pub use socket::BufferedSocket;

#[cfg(test)]
mod tests;

/// How often a silent connection checks whether its exchange may continue.
const TICK: Duration = Duration::from_secs(1);

/// The deadlines of the connection below a stream, where a listener of this process has made it.
pub fn deadlines_of(stream: &Stream) -> Option<&ConnectionDeadlines> {
    // A box of a stream is a stream as well: the connection is inside.
    let stream = (**stream).as_any();
    let plain = stream.downcast_ref::<Connection<BufferedSocket>>().map(|connection| &connection.deadlines);
    plain.or_else(|| {
        stream.downcast_ref::<Connection<TlsStream<BufferedSocket>>>().map(|connection| &connection.deadlines)
    })
}

/// ConnectionRules: the limits of a client on its connection, and where hits of them are counted.
#[derive(Debug, Clone, Default)]
pub struct ConnectionRules {
    /// The time from the first byte of a header to its end.
    pub header_time: Duration,
    /// The bytes of a header block, and the frames of HTTP/2.
    pub budget: FrameBudget,
    /// Counts the limits that the client hits.
    pub limit_counters: Arc<LimitCounters>,
    /// The socket's other end.
    pub address: Option<IpAddr>,
}

/// Connection: the bytes of a client after TLS, which ends where the client exceeds a limit.
///
/// It ends when a header is late or too long, when its exchange may not continue, and when HTTP/2 sends too many frames
/// without a request. Bytes are read until a header block of HTTP/1.1 is complete, and for the frames of HTTP/2. They
/// are never changed.
#[derive(Debug)]
pub struct Connection<S> {
    io: S,
    head: Option<RequestHead>,
    rules: ConnectionRules,
    frames: Option<Box<(InboundFrames, OutboundFrames)>>,
    deadlines: ConnectionDeadlines,
    tick: Option<Pin<Box<Sleep>>>,
    h2c: bool,
}

impl<S: IO> Connection<S> {
    /// A connection whose first request must be complete by `deadline`, and each later one within the header time.
    ///
    /// `h2c` says that the client has begun with the HTTP/2 preface on a listener in cleartext that accepts it.
    pub fn new(io: S, deadline: Instant, rules: ConnectionRules, h2c: bool) -> Self {
        let h2 = h2c || matches!(io.selected_alpn_proto(), Some(ALPN::H2));
        let head = match h2 {
            true => RequestHead::preface(deadline),
            false => RequestHead::header(deadline, rules.budget.header_bytes),
        };
        let frames = h2.then(|| Box::new((InboundFrames::new(rules.budget), OutboundFrames::default())));
        Self { io, head: Some(head), rules, frames, deadlines: ConnectionDeadlines::default(), tick: None, h2c }
    }

    /// Ends the connection at `limit`.
    fn end_at(&self, limit: Limit) -> Poll<io::Result<()>> {
        self.rules.limit_counters.count(limit, self.rules.address);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, limit.key())))
    }

    /// Checks bytes that the client has sent; returns the limit that they exceed.
    fn check_inbound(&mut self, bytes: &[u8]) -> Option<Limit> {
        // Between two requests a client may be silent for the keep-alive time: the header time begins with its first
        // byte.
        if !bytes.is_empty() && self.deadlines.takes_header() {
            let deadline = Instant::now() + self.rules.header_time;
            self.head = Some(RequestHead::header(deadline, self.rules.budget.header_bytes));
        }
        match self.head.as_mut().map(|head| head.receive(bytes)) {
            Some(HeadProgress::Complete) => self.head = None,
            Some(HeadProgress::TooLong) => return Some(Limit::HeaderBytes),
            Some(HeadProgress::Open) | None => {}
        }
        self.frames.as_mut().and_then(|frames| frames.0.count(bytes))
    }

    /// Counts the limits that bytes to the client show.
    fn count_outbound(&mut self, bytes: &[u8]) {
        if let Some(frames) = &mut self.frames {
            frames.1.read(bytes, |limit| self.rules.limit_counters.count(limit, self.rules.address));
        }
    }

    /// Pending, unless a deadline has passed or the exchange must end.
    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.head.as_mut().is_some_and(|head| head.is_late(cx)) {
            return self.end_at(Limit::HeaderTimeout);
        }
        while self.deadlines.is_watched() {
            let tick = self.tick.get_or_insert_with(|| Box::pin(sleep(TICK)));
            if tick.as_mut().poll(cx).is_pending() {
                break;
            }
            self.tick = None;
            if let Err(code) = self.deadlines.check() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, code)));
            }
        }
        Poll::Pending
    }

    fn inner(&self) -> &S {
        &self.io
    }

    fn inner_mut(&mut self) -> &mut S {
        &mut self.io
    }
}

impl<S: IO> AsyncRead for Connection<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.deadlines.takes_header_end() {
            this.head = None;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.io).poll_read(cx, buf);
        match polled {
            Poll::Ready(Ok(())) => match this.check_inbound(buf.filled().get(before..).unwrap_or_default()) {
                Some(limit) => this.end_at(limit),
                None => polled,
            },
            Poll::Ready(Err(_)) => polled,
            Poll::Pending => this.poll_deadlines(cx),
        }
    }
}

#[async_trait]
impl<S: IO> Peek for Connection<S> {
    /// Shows what the listener has found, without waiting.
    ///
    /// Pingora's own peek reads 24 bytes without a time limit: an idle client would hold the connection, and a shorter
    /// request would hang.
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        let found: &[u8] = if self.h2c { H2_PREFACE } else { &[] };
        let shown = found.iter().copied().chain(std::iter::repeat(0));
        buf.iter_mut().zip(shown).for_each(|(byte, found)| *byte = found);
        Ok(true)
    }
}

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
            this.count_outbound(buf.get(..written).unwrap_or_default());
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
                this.count_outbound(buf.get(..left.min(buf.len())).unwrap_or_default());
                left.saturating_sub(buf.len())
            });
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

pass_through!([S: IO] Connection<S>);
