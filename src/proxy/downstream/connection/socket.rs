//! BufferedSocket: an accepted socket with buffers of our own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufStream, ReadBuf};

/// One TLS record: rustls reads in small steps, and this makes one read of the socket for each record.
const TLS_READ_BUFFER: usize = 16 * 1024;
/// HTTP/1.1 and HTTP/2 read into larger buffers of their own, which bypass a buffer of one byte.
const PLAIN_READ_BUFFER: usize = 1;
/// About one packet, so that a small header and a small body are sent together.
const WRITE_BUFFER: usize = 1460;

/// BufferedSocket: an accepted socket with buffers.
///
/// Pingora starts a stream without buffers, and its setting for them is private.
#[derive(Debug)]
pub struct BufferedSocket(BufStream<L4Stream>);

impl BufferedSocket {
    /// A socket that carries TLS.
    pub fn for_tls(socket: L4Stream) -> Self {
        Self(BufStream::with_capacity(TLS_READ_BUFFER, WRITE_BUFFER, socket))
    }

    /// A socket that carries HTTP in cleartext.
    pub fn plain(socket: L4Stream) -> Self {
        Self(BufStream::with_capacity(PLAIN_READ_BUFFER, WRITE_BUFFER, socket))
    }

    fn inner(&self) -> &L4Stream {
        self.0.get_ref()
    }

    fn inner_mut(&mut self) -> &mut L4Stream {
        self.0.get_mut()
    }
}

impl Drop for BufferedSocket {
    fn drop(&mut self) {
        // Sends what is left of a response when a session ends in an error, as Pingora does with its own buffers.
        let _ = Pin::new(&mut self.0).poll_flush(&mut Context::from_waker(Waker::noop()));
    }
}

impl Peek for BufferedSocket {}

impl AsyncRead for BufferedSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl Ssl for BufferedSocket {}

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

pass_through!([] BufferedSocket);
