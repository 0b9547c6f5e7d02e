//! Succession: handing the live file over to another process, taking it back, and ending a file.

use std::io;
use std::time::Duration;

use super::{Segment, SegmentState, is_same_file, now, to_json};
use crate::audit::control_line::{self, ChainMark};
use crate::audit::sink::open::open_for_append;
use crate::audit::sink::rotate;

impl Segment {
    /// Marks the position from which another process continues, and gives the file its final name.
    ///
    /// This process writes its last records under that name.
    ///
    /// # Errors
    /// Fails if the line cannot be written or confirmed, or the file cannot be renamed; it then stays the live file.
    pub(in crate::audit::sink) fn hand_over(&mut self) -> io::Result<()> {
        let Some(path) = self.path.clone().filter(|_| self.is_regular) else { return Ok(()) };
        self.taking_back = false;
        if self.live_path.is_some() {
            return Ok(());
        }
        if !self.is_writable() {
            return Err(io::Error::other("it cannot be written to now"));
        }
        if !is_same_file(&self.file, &path) {
            self.reopen()?;
        }
        self.write_mark(control_line::HANDOVER)?;
        self.sync()?;
        let finished = rotate::rename_finished(&path, self.number)?;
        tracing::info!(path = %finished.display(), "the last audit records of this process go to a separate file");
        if let Err(error) = rotate::sync_directory(&path) {
            tracing::error!(%error, "the disk did not confirm the name of an audit file");
        }
        (self.path, self.live_path) = (Some(finished), Some(path));
        Ok(())
    }

    /// Requests the live file back, because no other process continues.
    pub(in crate::audit::sink) fn request_take_back(&mut self) {
        self.taking_back = self.live_path.is_some();
    }

    /// Whether this process takes the live file back as soon as no other process has it.
    pub(in crate::audit::sink) fn is_taking_back(&self) -> bool {
        self.taking_back
    }

    /// Takes the live file back if that was requested and no other process has the file.
    pub(in crate::audit::sink) fn try_take_back(&mut self) {
        if let Some(live_path) = self.live_path.clone().filter(|_| self.taking_back) {
            // A process that is about to end may still have the file.
            let Ok(file) = open_for_append(&live_path, Duration::ZERO) else { return };
            if let Err(error) = self.write_end() {
                tracing::error!(%error, "the audit file of the hand-over has no end line");
            }
            (self.file, self.path, self.live_path, self.taking_back) = (file, Some(live_path), None, false);
            (self.records, self.size) = (0, 0);
            self.state = SegmentState::Broken;
            if let Err(error) = self.read_tail().and_then(|tail| self.begin_segment("reopened", tail)) {
                tracing::error!(%error, "the live audit file cannot be taken back");
            }
        }
    }

    /// Writes the end line, after which this process writes nothing to the file.
    ///
    /// # Errors
    /// Fails if the line is not written, or the disk does not confirm the records.
    pub(in crate::audit::sink) fn write_end(&mut self) -> io::Result<()> {
        self.write_mark(control_line::END)?;
        if self.is_regular { self.sync() } else { Ok(()) }
    }

    fn write_mark(&mut self, record: &'static str) -> io::Result<()> {
        let (mut out, mut position) = (Vec::new(), self.position);
        position.append(&to_json(&ChainMark { record, time: now() }), &mut out);
        self.write_lines(&out)?;
        self.position = position;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
