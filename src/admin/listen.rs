//! ListenAddress: the address of the admin listener, bound before anything starts.

use std::fmt;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// ListenAddress: where the admin listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// On a TCP address.
    Tcp(SocketAddr),
    /// On a Unix socket of mode 0600.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(out, "{address}"),
            Self::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

/// BoundSocket: a listener that already accepts.
#[derive(Debug)]
pub(super) enum BoundSocket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl BoundSocket {
    pub(super) fn bind(listen: &ListenAddress) -> io::Result<Self> {
        match listen {
            ListenAddress::Tcp(address) => Self::tcp(TcpListener::bind(address)?),
            ListenAddress::Unix(path) => bind_unix(path).map(|(listener, file)| Self::Unix(listener, file)),
        }
    }

    /// A socket that another process has bound as `listen` says, and hands over.
    pub(super) fn adopt(listen: &ListenAddress, socket: OwnedFd) -> io::Result<Self> {
        match listen {
            ListenAddress::Tcp(_) => Self::tcp(TcpListener::from(socket)),
            ListenAddress::Unix(path) => {
                let listener = UnixListener::from(socket);
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener, SocketFile::of(path)?))
            }
        }
    }

    fn tcp(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(listener))
    }

    pub(super) fn share(&self) -> io::Result<(OwnedFd, Arc<AtomicBool>)> {
        Ok(match self {
            Self::Tcp(listener) => (listener.try_clone()?.into(), Arc::default()),
            Self::Unix(listener, file) => (listener.try_clone()?.into(), file.left()),
        })
    }
}

/// SocketFile: a socket's name, removed with it unless another process has taken the name over.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
    left: Arc<AtomicBool>,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), id: (metadata.dev(), metadata.ino()), left: Arc::default() })
    }

    /// What is set where another process has the socket, so that the name stays.
    pub(super) fn left(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.left)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let left = self.left.load(Ordering::Acquire);
        if !left && fs::symlink_metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.id) {
            // Nobody is left to tell; a socket that stays is replaced at the next start.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// A Unix socket of mode 0600 at `path`, which does not block, and its name.
///
/// It was never open to others: it gets its mode in a folder of its own and its name last.
pub fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else than a socket"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(io::ErrorKind::AddrInUse.into()),
        // What a process left behind that is no more.
        Ok(_) => {}
    }
    let folder = path.with_extension(std::process::id().to_string());
    let inner = folder.join("s");
    // In a container every start has the same process id: a start that was killed here must not spoil the next.
    fs::remove_file(&inner).ok();
    fs::remove_dir(&folder).ok();
    DirBuilder::new().mode(0o700).create(&folder)?;
    let bound = UnixListener::bind(&inner).and_then(|listener| {
        fs::set_permissions(&inner, Permissions::from_mode(0o600))?;
        fs::rename(&inner, path)?;
        listener.set_nonblocking(true)?;
        Ok((listener, SocketFile::of(path)?))
    });
    if bound.is_err() {
        fs::remove_file(&inner).ok();
    }
    fs::remove_dir(&folder).ok();
    bound
}
