//! FileStamp: what the file system says of a file or folder, cheap to take and different after every change.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a change may hide behind a time stamp: file systems count in steps of up to two seconds.
const GRAIN: Duration = Duration::from_secs(3);

/// FileStamp: the identity, length and times of a path's files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileStamp(Vec<(OsString, Result<FileMetadata, ErrorKind>)>);

#[derive(Debug, PartialEq, Eq)]
struct FileMetadata {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    /// Nobody can set this one back.
    changed: (i64, i64),
}

impl FileStamp {
    /// The stamp of `path`, and if it is a folder of all its entries that are not hidden; symlinks are followed.
    pub(super) fn of(path: &Path) -> Self {
        let own = path.metadata();
        let is_folder = own.as_ref().is_ok_and(Metadata::is_dir);
        let mut all = vec![(OsString::new(), facts(own))];
        if is_folder {
            let entries = path.read_dir().into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name()).filter(|name| !name.as_bytes().starts_with(b"."));
            all.extend(names.map(|name| {
                let facts = facts(path.join(&name).metadata());
                (name, facts)
            }));
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Self(all)
    }

    /// Whether something changed so shortly before `now` that one more change might leave the stamp as it is.
    pub(super) fn is_young(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let old = now.saturating_sub(GRAIN).as_secs();
        let times = self.0.iter().filter_map(|(_, facts)| facts.as_ref().ok()).map(|facts| facts.changed.0);
        // A clock that runs ahead elsewhere (a network file system) is no reason to look for ever.
        let ahead = now.as_secs().saturating_add(3600);
        times.filter_map(|seconds| u64::try_from(seconds).ok()).any(|seconds| (old..ahead).contains(&seconds))
    }
}

fn facts(metadata: std::io::Result<Metadata>) -> Result<FileMetadata, ErrorKind> {
    metadata.map_err(|error| error.kind()).map(|metadata| FileMetadata {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
