//! Handover: listening sockets that go from a running process to the one that takes its place.
//!
//! The running process opens a Unix socket on SIGQUIT. Whoever connects as the same user gets the descriptors, with the
//! names that the settings have for them, and says `serving` once it accepts; until then the running process goes on.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as Blocking;
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

/// How long either process waits for the other one.
const WAIT: Duration = Duration::from_secs(30);
/// How often the new process looks whether the running one has heard SIGQUIT.
const POLL: Duration = Duration::from_millis(50);
/// How many descriptors go at once, which Linux bounds at 253.
const MOST: usize = 250;
/// The bytes that their names may have together.
const NAMES: usize = 64 * 1024;
/// What the new process says once it accepts.
const SERVING: &[u8] = b"serving\n";

/// SharedSockets: handles of the listening sockets, by the names that the settings have for them.
pub(super) struct SharedSockets {
    path: PathBuf,
    names: Vec<String>,
    sockets: Vec<OwnedFd>,
    /// Set with the word of the new process.
    gone: Arc<AtomicBool>,
    audit: Arc<Sink>,
    wait: Duration,
}

impl SharedSockets {
    /// What SIGQUIT hands over through a socket at `path`.
    pub(super) fn new(
        path: &Path,
        sockets: Vec<(String, OwnedFd)>,
        gone: Arc<AtomicBool>,
        audit: Arc<Sink>,
    ) -> Result<Self, String> {
        let (names, sockets): (Vec<String>, Vec<OwnedFd>) = sockets.into_iter().unzip();
        if names.len() > MOST {
            return Err(format!("`upgrade-socket` can hand over {MOST} listeners, and there are {}", names.len()));
        }
        Ok(Self { path: path.to_owned(), names, sockets, gone, audit, wait: WAIT })
    }

    /// Serves one connection: whether a process that serves is on the other end.
    async fn offer(&self, mut stream: UnixStream) -> io::Result<()> {
        is_same_user(&stream)?;
        let no_room = |error| io::Error::other(format!("the audit file cannot be handed over: {error}"));
        self.audit.hand_over().await.map_err(no_room)?;
        let mut names = serde_json::to_vec(&self.names)?;
        names.push(b'\n');
        let sockets: Vec<_> = self.sockets.iter().map(AsFd::as_fd).collect();
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                control.push(SendAncillaryMessage::ScmRights(&sockets));
                Ok(sendmsg(&stream, &[IoSlice::new(&names)], &mut control, SendFlags::empty())?)
            })
            .await?;
        tokio::io::AsyncWriteExt::write_all(&mut stream, names.get(sent..).unwrap_or_default()).await?;
        let mut word = [0; SERVING.len()];
        stream.read_exact(&mut word).await?;
        if word == SERVING { Ok(()) } else { Err(io::Error::other("it says something else than `serving`")) }
    }

    async fn succeeded(&self, listener: &UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    match timeout(self.wait, self.offer(stream)).await {
                        Ok(Ok(())) => return,
                        Ok(Err(error)) => tracing::warn!(%error, "the new process does not serve, this one goes on"),
                        Err(_) => tracing::warn!("the new process does not serve in time, this one goes on"),
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
        let bound = bind_unix(&self.path).and_then(|(listener, name)| Ok((UnixListener::from_std(listener)?, name)));
        let (listener, _name) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                tracing::error!(%path, %error, "no socket to hand the listeners over, serving goes on");
                return false;
            }
        };
        tracing::info!(%path, "waiting for the process that takes over");
        if timeout(self.wait, self.succeeded(&listener)).await.is_err() {
            tracing::warn!(%path, "no process took over, serving goes on");
            self.audit.take_back();
            return false;
        }
        self.gone.store(true, Ordering::Release);
        tracing::info!(%path, "the listeners are handed over");
        true
    }
}

/// InheritedSockets: listening sockets of the process before this one, which serves until it is told otherwise.
#[derive(Debug)]
pub(super) struct InheritedSockets {
    sockets: Vec<(String, OwnedFd)>,
    giver: Blocking,
}

impl InheritedSockets {
    /// Waits for the running process to hear SIGQUIT, and takes its sockets from `path`.
    pub(super) fn receive(path: &Path) -> Result<Self, String> {
        Self::within(path, WAIT)
    }

    fn within(path: &Path, wait: Duration) -> Result<Self, String> {
        let at = path.display();
        tracing::info!(path = %at, "all is loaded, waiting for SIGQUIT to the running process");
        let end = Instant::now() + wait;
        let giver = loop {
            match Blocking::connect(path) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= end => {
                    return Err(format!(
                        "no process handed its listeners over at `{at}` in {} s ({error}): the running one needs the \
                         same `upgrade-socket`, and SIGQUIT",
                        wait.as_secs()
                    ));
                }
                Err(_) => std::thread::sleep(POLL),
            }
        };
        let sockets = received(&giver, wait).map_err(|error| {
            format!("the running process handed no listeners over at `{at}`, it may be busy with another: {error}")
        })?;
        tracing::info!(path = %at, sockets = sockets.len(), "listeners taken over");
        Ok(Self { sockets, giver })
    }

    /// The first socket of this name.
    pub(super) fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let place = self.sockets.iter().position(|(known, _)| known == name)?;
        Some(self.sockets.remove(place).1)
    }

    /// What says that this process serves. Sockets that nobody has taken close here.
    pub(super) fn settled(self) -> impl FnOnce() + Send + Sync {
        for (name, _) in &self.sockets {
            tracing::info!(name, "a listener that is not named any more closes");
        }
        let mut giver = self.giver;
        move || {
            // A process that is no more needs no word.
            if let Err(error) = giver.write_all(SERVING) {
                tracing::warn!(%error, "the process before this one is gone already");
            }
            giver.shutdown(Shutdown::Write).ok();
        }
    }
}

/// The names and descriptors that come over `giver`.
fn received(giver: &Blocking, wait: Duration) -> io::Result<Vec<(String, OwnedFd)>> {
    is_same_user(giver)?;
    giver.set_read_timeout(Some(wait))?;
    let (mut text, mut sockets) = (vec![0; NAMES], Vec::new());
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let first = recvmsg(giver, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    text.truncate(first.bytes);
    let mut rest = giver.take((NAMES - first.bytes) as u64);
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

/// Descriptors go to nobody else, and come from nobody else.
fn is_same_user(peer: &impl AsFd) -> io::Result<()> {
    let (theirs, ours) = (socket_peercred(peer)?.uid, geteuid());
    if theirs == ours {
        return Ok(());
    }
    let message = format!("the process on the other end runs as user {}", theirs.as_raw());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(test)]
mod tests;
