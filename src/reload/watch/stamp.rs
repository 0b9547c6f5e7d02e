//! FileStamp: the file system's metadata of a file or folder, which changes with every change of the content.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long two changes may have the same time stamp: file systems have a granularity of up to two seconds.
const TIMESTAMP_GRANULARITY: Duration = Duration::from_secs(3);

/// FileStamp: the identity, length and times of a path's files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileStamp(Vec<(OsString, Result<FileMetadata, ErrorKind>)>);

#[derive(Debug, PartialEq, Eq)]
struct FileMetadata {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    /// The time of the last status change, which no program can set.
    changed: (i64, i64),
}

impl FileStamp {
    /// Takes the stamp of `path`, and for a folder of all its entries that are not hidden; follows symlinks.
    pub(super) fn of(path: &Path) -> Self {
        let own = path.metadata();
        let is_folder = own.as_ref().is_ok_and(Metadata::is_dir);
        let mut all = vec![(OsString::new(), file_metadata(own))];
        if is_folder {
            let entries = path.read_dir().into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name()).filter(|name| !name.as_bytes().starts_with(b"."));
            all.extend(names.map(|name| {
                let metadata = file_metadata(path.join(&name).metadata());
                (name, metadata)
            }));
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Self(all)
    }

    /// Whether something changed so shortly before `now` that a further change might not change the stamp.
    pub(super) fn is_recent(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let old = now.saturating_sub(TIMESTAMP_GRANULARITY).as_secs();
        let times = self.0.iter().filter_map(|(_, metadata)| metadata.as_ref().ok()).map(|metadata| metadata.changed.0);
        // A clock that runs ahead on another machine (a network file system) must not cause endless checks.
        let ahead = now.as_secs().saturating_add(3600);
        times.filter_map(|seconds| u64::try_from(seconds).ok()).any(|seconds| (old..ahead).contains(&seconds))
    }
}

fn file_metadata(metadata: std::io::Result<Metadata>) -> Result<FileMetadata, ErrorKind> {
    metadata.map_err(|error| error.kind()).map(|metadata| FileMetadata {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
