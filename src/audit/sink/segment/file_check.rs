//! File check: whether the open audit file is still the file that its path names, and whole.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{RETRY_PAUSE, Segment, SegmentState};
use crate::audit::control_line::RESUMED;

/// How often the file is checked while no request waits for the disk.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Segment {
    /// Continues in a new segment at the file's path if the file was deleted, renamed or truncated.
    ///
    /// # Errors
    /// Fails if the path cannot be written to. The output is then broken if a request waits for the disk, or if the
    /// records would be in no file at all. Otherwise the renamed file stays in use.
    pub(in crate::audit::sink) fn check_file(&mut self, durable_wanted: bool) -> io::Result<()> {
        let now = Instant::now();
        if !self.is_regular || !self.is_writable() || !durable_wanted && now < self.next_check {
            return Ok(());
        }
        self.next_check = now + CHECK_INTERVAL;
        let Some(path) = self.path.clone() else { return Ok(()) };
        let Some(why) = self.detect_change(&path) else { return Ok(()) };
        if why != RENAMED {
            tracing::error!(path = %path.display(), "the audit file was {why} by another program; a new segment reports it");
        }
        let result = self.continue_at(&path, why);
        if let Err(error) = &result {
            let linked = self.file.metadata().is_ok_and(|of| of.nlink() > 0);
            if durable_wanted || !linked {
                self.state = if self.is_writable() { SegmentState::Broken } else { self.state };
            } else {
                self.next_check = now + RETRY_PAUSE;
                tracing::error!(path = %path.display(), %error, "records go to the {why} audit file");
            }
        }
        result
    }

    /// Detects what another program has done to the file.
    fn detect_change(&self, path: &Path) -> Option<&'static str> {
        let own = self.file.metadata().ok()?;
        let there = std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()));
        if !there {
            return Some(if own.nlink() == 0 { "deleted" } else { RENAMED });
        }
        (own.len() < self.size).then_some("truncated")
    }

    fn continue_at(&mut self, path: &Path, why: &'static str) -> io::Result<()> {
        self.sync()?;
        self.switch_to(path)?;
        let tail = self.read_tail()?;
        self.begin_segment(if self.live_path.is_some() { RESUMED } else { why }, tail)
    }
}

const RENAMED: &str = "renamed";

#[cfg(test)]
mod tests;
