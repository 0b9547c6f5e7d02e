//! Leaving: a file that ends, or that another process goes on from while this one writes its last records.

use std::io;
use std::time::Duration;

use serde::Serialize;

use super::{Segment, SegmentState, append_to, is_open, json, now};
use crate::audit::Rfc3339Time;
use crate::audit::sink::{recover, rotate};

/// A line that marks a place in the chain.
#[derive(Serialize)]
struct ChainMark {
    record: &'static str,
    time: Rfc3339Time,
}

impl Segment {
    /// Marks the place from which another process goes on, and gives the file its final name, under which this process
    /// writes on.
    ///
    /// # Errors
    /// The line cannot be written or confirmed, or the file cannot be renamed: it stays the live one.
    pub(in crate::audit::sink) fn hand_over(&mut self) -> io::Result<()> {
        let Some(path) = self.path.clone().filter(|_| self.regular) else { return Ok(()) };
        self.returning = false;
        if self.home.is_some() {
            return Ok(());
        }
        if !self.is_sound() {
            return Err(io::Error::other("it cannot be written to now"));
        }
        if !is_open(&self.file, &path) {
            self.reopen()?;
        }
        self.mark(recover::HANDOVER)?;
        self.sync()?;
        let finished = rotate::finish(&path, self.number)?;
        tracing::info!(path = %finished.display(), "the last audit records of this process go to a file of its own");
        if let Err(error) = rotate::sync_folder(&path) {
            tracing::error!(%error, "the disk did not confirm the name of an audit file");
        }
        (self.path, self.home) = (Some(finished), Some(path));
        Ok(())
    }

    /// Says that no other process goes on.
    pub(in crate::audit::sink) fn take_back(&mut self) {
        self.returning = self.home.is_some();
    }

    /// Whether the live file is to be taken back as soon as nobody else has it.
    pub(in crate::audit::sink) fn is_returning(&self) -> bool {
        self.returning
    }

    /// Takes the live file back where it is to be taken back and nobody else has it.
    pub(in crate::audit::sink) fn go_back(&mut self) {
        if let Some(home) = self.home.clone().filter(|_| self.returning) {
            // A process that is about to end may still have it.
            let Ok(file) = append_to(&home, Duration::ZERO) else { return };
            if let Err(error) = self.end() {
                tracing::error!(%error, "the audit file of the hand-over has no end");
            }
            (self.file, self.path, self.home, self.returning) = (file, Some(home), None, false);
            (self.records, self.size) = (0, 0);
            self.standing = SegmentState::Broken;
            if let Err(error) = self.read_tail().and_then(|tail| self.begin("reopened", tail)) {
                tracing::error!(%error, "the live audit file cannot be taken back");
            }
        }
    }

    /// Ends the file: nothing of this process follows in it.
    ///
    /// # Errors
    /// The line is not written, or the disk has not confirmed what was.
    pub(in crate::audit::sink) fn end(&mut self) -> io::Result<()> {
        self.mark(recover::END)?;
        if self.regular { self.sync() } else { Ok(()) }
    }

    fn mark(&mut self, record: &'static str) -> io::Result<()> {
        let (mut out, mut link) = (Vec::new(), self.link);
        link.append(&json(&ChainMark { record, time: now() }), &mut out);
        self.put(&out)?;
        self.link = link;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
