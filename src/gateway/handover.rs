//! Handover: passes listening sockets from the running process to its successor.
//!
//! The running process opens a Unix socket on SIGQUIT. A process of the same user that connects receives the
//! descriptors with their names from the settings. It sends `serving` once it accepts connections; until then the
//! running process continues to serve.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg, sockopt::socket_peercred,
};
use rustix::process::geteuid;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use crate::admin::listen::bind_unix;
use crate::audit::Sink;
use crate::proxy::lifecycle::SocketHandOver;

/// The longest time that either process waits for the other one.
const WAIT: Duration = Duration::from_secs(30);
/// The interval at which the new process checks whether the running one has received SIGQUIT.
const POLL: Duration = Duration::from_millis(50);
/// The most descriptors that one message carries; Linux limits them to 253.
const MAX_SOCKETS: usize = 250;
/// The most bytes that their names may have together.
const MAX_NAME_BYTES: usize = 64 * 1024;
/// The message of the new process once it accepts connections.
const SERVING: &[u8] = b"serving\n";

/// SharedSockets: handles of the listening sockets, by their names from the settings.
pub(super) struct SharedSockets {
    path: PathBuf,
    names: Vec<String>,
    sockets: Vec<OwnedFd>,
    /// Set once the new process serves, so that the admin socket keeps its file.
    handed_over: Arc<AtomicBool>,
    audit: Arc<Sink>,
    wait: Duration,
}

impl SharedSockets {
    /// Prepares `sockets` to be handed over on SIGQUIT through a Unix socket at `path`.
    pub(super) fn new(
        path: &Path,
        sockets: Vec<(String, OwnedFd)>,
        handed_over: Arc<AtomicBool>,
        audit: Arc<Sink>,
    ) -> Result<Self, String> {
        let (names, sockets): (Vec<String>, Vec<OwnedFd>) = sockets.into_iter().unzip();
        if names.len() > MAX_SOCKETS {
            return Err(format!(
                "`upgrade-socket` can hand over {MAX_SOCKETS} listeners, and there are {}",
                names.len()
            ));
        }
        Ok(Self { path: path.to_owned(), names, sockets, handed_over, audit, wait: WAIT })
    }

    /// Sends the sockets over one connection; an error unless the other process then serves.
    async fn offer_sockets(&self, mut stream: UnixStream) -> io::Result<()> {
        check_same_user(&stream)?;
        let failed = |error| io::Error::other(format!("the audit file cannot be handed over: {error}"));
        self.audit.hand_over().await.map_err(failed)?;
        let mut names = serde_json::to_vec(&self.names)?;
        names.push(b'\n');
        let sockets: Vec<_> = self.sockets.iter().map(AsFd::as_fd).collect();
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                control.push(SendAncillaryMessage::ScmRights(&sockets));
                Ok(sendmsg(&stream, &[IoSlice::new(&names)], &mut control, SendFlags::empty())?)
            })
            .await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, names.get(sent..).unwrap_or_default()).await?;
        let mut reply = [0; SERVING.len()];
        stream.read_exact(&mut reply).await?;
        if reply == SERVING { Ok(()) } else { Err(io::Error::other("its reply is not `serving`")) }
    }

    /// Offers the sockets to each process that connects, until one of them serves.
    async fn wait_for_successor(&self, listener: &UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    match timeout(self.wait, self.offer_sockets(stream)).await {
                        Ok(Ok(())) => return,
                        Ok(Err(error)) => {
                            tracing::warn!(%error, "the new process does not serve, this one continues to serve");
                        }
                        Err(_) => tracing::warn!("the new process does not serve in time, this one continues to serve"),
                    }
                    self.audit.take_back();
                }
                Err(error) => {
                    tracing::warn!(%error, "the upgrade socket cannot accept");
                    sleep(POLL).await;
                }
            }
        }
    }
}

#[async_trait]
impl SocketHandOver for SharedSockets {
    async fn hand_over(&self) -> bool {
        let path = self.path.display();
        let bound = bind_unix(&self.path).and_then(|(listener, file)| Ok((UnixListener::from_std(listener)?, file)));
        let (listener, _file) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                tracing::error!(%path, %error, "the upgrade socket cannot be opened, this process continues to serve");
                return false;
            }
        };
        tracing::info!(%path, "waiting for the process that takes over");
        if timeout(self.wait, self.wait_for_successor(&listener)).await.is_err() {
            tracing::warn!(%path, "no process took over, this one continues to serve");
            self.audit.take_back();
            return false;
        }
        self.handed_over.store(true, Ordering::Release);
        tracing::info!(%path, "the listeners are handed over");
        true
    }
}

/// InheritedSockets: listening sockets of the previous process, which serves until this one confirms the takeover.
#[derive(Debug)]
pub(super) struct InheritedSockets {
    sockets: Vec<(String, OwnedFd)>,
    predecessor: BlockingStream,
}

impl InheritedSockets {
    /// Waits until the running process receives SIGQUIT, and takes over its sockets through `path`.
    pub(super) fn receive(path: &Path) -> Result<Self, String> {
        Self::receive_within(path, WAIT)
    }

    fn receive_within(path: &Path, wait: Duration) -> Result<Self, String> {
        let shown = path.display();
        tracing::info!(path = %shown, "all is loaded, waiting for SIGQUIT to the running process");
        let deadline = Instant::now() + wait;
        let predecessor = loop {
            match BlockingStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= deadline => {
                    return Err(format!(
                        "no process handed its listeners over at `{shown}` in {} s ({error}): the running one needs \
                         the same `upgrade-socket`, and SIGQUIT",
                        wait.as_secs()
                    ));
                }
                Err(_) => std::thread::sleep(POLL),
            }
        };
        let sockets = receive_sockets(&predecessor, wait).map_err(|error| {
            format!("the running process handed no listeners over at `{shown}`, it may be busy with another: {error}")
        })?;
        tracing::info!(path = %shown, sockets = sockets.len(), "listeners taken over");
        Ok(Self { sockets, predecessor })
    }

    /// Removes the first socket of this name and returns it.
    pub(super) fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let position = self.sockets.iter().position(|(known, _)| known == name)?;
        Some(self.sockets.remove(position).1)
    }

    /// A function that confirms to the previous process that this one serves. Sockets that were not taken close here.
    pub(super) fn takeover_confirmation(self) -> impl FnOnce() + Send + Sync {
        for (name, _) in &self.sockets {
            tracing::info!(name, "a listener that is not named any more closes");
        }
        let mut predecessor = self.predecessor;
        move || {
            // A process that has ended needs no confirmation.
            if let Err(error) = predecessor.write_all(SERVING) {
                tracing::warn!(%error, "the previous process has already ended");
            }
            predecessor.shutdown(Shutdown::Write).ok();
        }
    }
}

/// Reads the names and descriptors that the previous process sends.
fn receive_sockets(predecessor: &BlockingStream, wait: Duration) -> io::Result<Vec<(String, OwnedFd)>> {
    check_same_user(predecessor)?;
    predecessor.set_read_timeout(Some(wait))?;
    let (mut text, mut sockets) = (vec![0; MAX_NAME_BYTES], Vec::new());
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let first = recvmsg(predecessor, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    text.truncate(first.bytes);
    let mut rest = predecessor.take((MAX_NAME_BYTES - first.bytes) as u64);
    let mut byte = [0];
    while text.last() != Some(&b'\n') {
        rest.read_exact(&mut byte)?;
        text.extend_from_slice(&byte);
    }
    let names: Vec<String> = serde_json::from_slice(&text)?;
    if names.len() != sockets.len() {
        return Err(io::Error::other(format!("{} names for {} sockets", names.len(), sockets.len())));
    }
    Ok(names.into_iter().zip(sockets).collect())
}

/// Checks that the peer runs as the same user: descriptors are exchanged within one user only.
fn check_same_user(peer: &impl AsFd) -> io::Result<()> {
    let (theirs, ours) = (socket_peercred(peer)?.uid, geteuid());
    if theirs == ours {
        return Ok(());
    }
    let message = format!("the process on the other end runs as user {}", theirs.as_raw());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(test)]
mod tests;
