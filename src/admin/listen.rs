//! ListenAddress: the address of the admin listener, which is bound before the process serves.

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

/// ListenAddress: the address on which the admin listener listens.
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

    /// Adopts a socket that another process has bound to `listen` and hands over.
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

    /// Duplicates the socket; the flag is set once another process serves it, so that the socket file stays.
    pub(super) fn share(&self) -> io::Result<(OwnedFd, Arc<AtomicBool>)> {
        Ok(match self {
            Self::Tcp(listener) => (listener.try_clone()?.into(), Arc::default()),
            Self::Unix(listener, file) => (listener.try_clone()?.into(), file.handed_over()),
        })
    }
}

/// SocketFile: the file of a Unix socket, removed when the value is dropped unless another process has taken it over.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
    handed_over: Arc<AtomicBool>,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), id: (metadata.dev(), metadata.ino()), handed_over: Arc::default() })
    }

    /// The flag that is set once another process serves the socket, so that the file stays.
    pub(super) fn handed_over(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.handed_over)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let handed_over = self.handed_over.load(Ordering::Acquire);
        if !handed_over
            && fs::symlink_metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.id)
        {
            // An error cannot be reported any more; the next start replaces a socket file that stays.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Binds a non-blocking Unix socket of mode 0600 at `path`, and returns it with its file.
///
/// The socket is never open to other users: it gets its mode in a private folder and is then moved to `path`.
pub fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the path is taken by a file that is not a socket",
            ));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => return Err(io::ErrorKind::AddrInUse.into()),
        // A socket file without a listener: a process left it behind.
        Ok(_) => {}
    }
    let folder = path.with_extension(std::process::id().to_string());
    let inner = folder.join("s");
    // In a container every start has the same process id: a start that was killed here must not block the next one.
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
