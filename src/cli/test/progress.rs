//! Progress: a line on the terminal that shows the progress of a long test run.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// The interval between two updates.
const INTERVAL: Duration = Duration::from_secs(1);

/// Progress: the number of cases that have been run; shown only where the error stream is a terminal.
pub(super) struct Progress<'a> {
    path: &'a str,
    done: usize,
    updated: Instant,
    shown: bool,
    is_terminal: bool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self { path, done: 0, updated: Instant::now(), shown: false, is_terminal: std::io::stderr().is_terminal() }
    }

    /// Counts one more case.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if self.is_terminal && self.updated.elapsed() > INTERVAL {
            self.updated = Instant::now();
            self.shown = true;
            // A failure of the error stream is ignored: it only loses the progress line.
            let _ = write!(std::io::stderr(), "\r{}: {} tried", self.path, self.done);
        }
    }

    /// Clears the line.
    pub(super) fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
