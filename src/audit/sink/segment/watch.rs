//! Watch: whether the file that is written is still the one that its path names, and whole.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{AGAIN, Segment, SegmentState};
use crate::audit::sink::recover::RESUMED;

/// How often a file is looked at while nobody waits for the disk.
const EVERY: Duration = Duration::from_secs(1);

impl Segment {
    /// Goes on in a new segment at the file's path where somebody has deleted, renamed or cut the file.
    ///
    /// # Errors
    /// The path cannot be written to. Where somebody waits for the disk, or what is written would be in no file at all,
    /// the output is broken; else a file that was renamed goes on.
    pub(in crate::audit::sink) fn watch(&mut self, awaited: bool) -> io::Result<()> {
        let now = Instant::now();
        if !self.regular || !self.is_sound() || !awaited && now < self.look_at {
            return Ok(());
        }
        self.look_at = now + EVERY;
        let Some(path) = self.path.clone() else { return Ok(()) };
        let Some(why) = self.change_at(&path) else { return Ok(()) };
        if why != RENAMED {
            tracing::error!(path = %path.display(), "somebody has {why} the audit file: a new segment tells of it");
        }
        let result = self.go_on_at(&path, why);
        if let Err(error) = &result {
            let linked = self.file.metadata().is_ok_and(|of| of.nlink() > 0);
            if awaited || !linked {
                self.standing = if self.is_sound() { SegmentState::Broken } else { self.standing };
            } else {
                self.look_at = now + AGAIN;
                tracing::error!(path = %path.display(), %error, "records go to the {why} audit file");
            }
        }
        result
    }

    /// What somebody has done to the file.
    fn change_at(&self, path: &Path) -> Option<&'static str> {
        let own = self.file.metadata().ok()?;
        let there = std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()));
        if !there {
            return Some(if own.nlink() == 0 { "deleted" } else { RENAMED });
        }
        (own.len() < self.size).then_some("truncated")
    }

    fn go_on_at(&mut self, path: &Path, why: &'static str) -> io::Result<()> {
        self.sync()?;
        self.change_to(path)?;
        let tail = self.read_tail()?;
        self.begin(if self.home.is_some() { RESUMED } else { why }, tail)
    }
}

const RENAMED: &str = "renamed";

#[cfg(test)]
mod tests;
