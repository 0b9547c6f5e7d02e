//! RequestHead: the beginning of a request, which must be complete by a deadline.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant, Sleep, sleep_until};

use super::frames::H2_PREFACE;

/// RequestHead: the header block of HTTP/1.1 or the preface of HTTP/2, as far as it has come.
#[derive(Debug)]
pub(super) struct RequestHead {
    deadline: Pin<Box<Sleep>>,
    state: HeadState,
}

#[derive(Debug)]
enum HeadState {
    Preface {
        missing: usize,
    },
    /// A header block, and the bytes that it may still have.
    Header(HeaderEndScanner, usize),
}

/// HeadProgress: how far the beginning of a request is.
pub(super) enum HeadProgress {
    /// Bytes are missing.
    Open,
    /// It is complete.
    Complete,
    /// It has more bytes than allowed.
    TooLong,
}

impl RequestHead {
    /// The preface of HTTP/2 (RFC 9113, section 3.4).
    pub(super) fn preface(deadline: Instant) -> Self {
        Self::new(deadline, HeadState::Preface { missing: H2_PREFACE.len() })
    }

    /// A header block of HTTP/1.1 of at most `longest` bytes.
    pub(super) fn header(deadline: Instant, longest: usize) -> Self {
        Self::new(deadline, HeadState::Header(HeaderEndScanner::default(), longest))
    }

    fn new(deadline: Instant, state: HeadState) -> Self {
        Self { deadline: Box::pin(sleep_until(deadline)), state }
    }

    /// Takes bytes of the client.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> HeadProgress {
        let is_complete = match &mut self.state {
            HeadState::Preface { missing } => {
                *missing = missing.saturating_sub(bytes.len());
                *missing == 0
            }
            HeadState::Header(end, room) => {
                let is_complete = bytes.iter().any(|byte| end.ends_at(*byte));
                if !is_complete && bytes.len() > *room {
                    return HeadProgress::TooLong;
                }
                *room = room.saturating_sub(bytes.len());
                is_complete
            }
        };
        if is_complete { HeadProgress::Complete } else { HeadProgress::Open }
    }

    /// Whether the deadline has passed; otherwise the task is woken when it does.
    pub(super) fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().poll(cx).is_ready()
    }
}

/// HeaderEndScanner: finds the empty line after a header block, after a bare LF too.
///
/// It only ends a deadline: the framing is checked elsewhere.
#[derive(Debug, Default)]
struct HeaderEndScanner {
    has_begun: bool,
    at_line_start: bool,
}

impl HeaderEndScanner {
    fn ends_at(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' if self.at_line_start && self.has_begun => return true,
            b'\n' => self.at_line_start = true,
            b'\r' => {}
            _ => {
                self.has_begun = true;
                self.at_line_start = false;
            }
        }
        false
    }
}
