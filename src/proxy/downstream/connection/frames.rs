//! Frames: what an HTTP/2 connection says beside its bytes: budgets for what a client may send without asking for
//! anything, and the refusals that the HTTP/2 library writes by itself.

use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Limit;

#[cfg(test)]
mod tests;

/// The first bytes of an HTTP/2 client (RFC 9113, section 3.4).
pub const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The time over which frames are counted.
const WINDOW: Duration = Duration::from_secs(10);

const FRAME_HEADER: usize = 9;
/// Of a GOAWAY frame: the last stream, the code, and the beginning of why.
const SEEN: usize = FRAME_HEADER + 8 + 12;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// FrameBudget: how much of what an HTTP/2 client may send before its connection ends.
#[derive(Debug, Clone, Copy)]
pub struct FrameBudget {
    /// Streams that it resets, in ten seconds.
    pub resets: u32,
    /// Frames that carry nothing, in ten seconds.
    pub control_frames: u32,
    /// Bytes of one header block as sent.
    pub header_bytes: usize,
}

impl Default for FrameBudget {
    fn default() -> Self {
        Self { resets: 500, control_frames: 2000, header_bytes: 128 << 10 }
    }
}

/// InboundFrames: the frames of a client, counted.
#[derive(Debug)]
pub(super) struct InboundFrames {
    reader: FrameReader,
    budget: FrameBudget,
    since: Instant,
    resets: u32,
    control_frames: u32,
    /// Bytes of the header block that has begun and not ended.
    block: usize,
}

impl InboundFrames {
    pub(super) fn new(budget: FrameBudget) -> Self {
        let reader = FrameReader { left: H2_PREFACE.len(), ..FrameReader::default() };
        Self { reader, budget, since: Instant::now(), resets: 0, control_frames: 0, block: 0 }
    }

    /// The limit that the connection has reached with these bytes, if there is one.
    pub(super) fn reaches(&mut self, bytes: &[u8]) -> Option<Limit> {
        let Self { reader, budget, since, resets, control_frames, block } = self;
        let mut reached = None;
        reader.read(bytes, |frame| {
            if since.elapsed() >= WINDOW {
                (*since, *resets, *control_frames) = (Instant::now(), 0, 0);
            }
            match frame.kind() {
                HEADERS | CONTINUATION if !frame.has(END_HEADERS) => *block += frame.length() + FRAME_HEADER,
                HEADERS | CONTINUATION => *block = 0,
                RST_STREAM => *resets += 1,
                DATA if frame.length() > 0 || frame.has(END_STREAM) => {}
                WINDOW_UPDATE => {}
                _ => *control_frames += 1,
            }
            let over = [
                (*block > budget.header_bytes, Limit::HeaderBytes),
                (*resets > budget.resets, Limit::Http2Resets),
                (*control_frames > budget.control_frames, Limit::Http2ControlFrames),
            ];
            reached = reached.or(over.into_iter().find_map(|(is, limit)| is.then_some(limit)));
        });
        reached
    }
}

/// OutboundFrames: the frames that leave, of which some say that a limit was reached.
#[derive(Debug, Default)]
pub(super) struct OutboundFrames(FrameReader);

impl OutboundFrames {
    /// Tells `reached` each limit that these bytes are about.
    pub(super) fn read(&mut self, bytes: &[u8], mut reached: impl FnMut(Limit)) {
        self.0.read(bytes, |frame| match (frame.kind(), frame.code()) {
            (RST_STREAM, Some(REFUSED_STREAM)) => reached(Limit::Http2Streams),
            // The library's own measures: so many streams reset before they were served, a header block in too many
            // pieces or too large when unpacked, too many bytes of nothing.
            (GOAWAY, Some(ENHANCE_YOUR_CALM)) => reached(match frame.why() {
                why if why.starts_with(b"too_many_res") => Limit::Http2Resets,
                why if why.starts_with(b"too_many_con") || why.starts_with(b"header_list_") => Limit::HeaderBytes,
                _ => Limit::Http2ControlFrames,
            }),
            _ => {}
        });
    }
}

/// FrameReader: finds the frames in a stream of bytes (RFC 9113, section 4.1) and keeps the beginning of the one it is at.
#[derive(Debug, Default)]
struct FrameReader {
    seen: Frame,
    /// Bytes that belong to no frame, or to one that has been told already.
    left: usize,
}

impl FrameReader {
    fn read(&mut self, mut bytes: &[u8], mut see: impl FnMut(&Frame)) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = bytes.split_at(skipped).1;
            let (taken, rest) = bytes.split_at(self.seen.missing().min(bytes.len()));
            self.seen.extend(taken);
            bytes = rest;
            if self.left == 0 && self.seen.missing() == 0 {
                see(&self.seen);
                self.left = (FRAME_HEADER + self.seen.length()).saturating_sub(self.seen.held);
                self.seen.held = 0;
            }
        }
    }
}

/// Frame: the header of a frame, and the beginning of what follows where that matters.
#[derive(Debug, Default)]
struct Frame {
    bytes: [u8; SEEN],
    held: usize,
}

impl Frame {
    fn length(&self) -> usize {
        let [high, middle, low, ..] = self.bytes;
        usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
    }

    fn kind(&self) -> u8 {
        let [_, _, _, kind, ..] = self.bytes;
        kind
    }

    fn has(&self, flag: u8) -> bool {
        let [_, _, _, _, flags, ..] = self.bytes;
        flags & flag != 0
    }

    /// The error code of a frame that has one.
    fn code(&self) -> Option<u32> {
        let at = match self.kind() {
            RST_STREAM => FRAME_HEADER,
            GOAWAY => FRAME_HEADER + 4,
            _ => return None,
        };
        self.held_bytes().get(at..)?.first_chunk().map(|code| u32::from_be_bytes(*code))
    }

    /// The beginning of what a GOAWAY frame gives as its reason.
    fn why(&self) -> &[u8] {
        self.held_bytes().get(FRAME_HEADER + 8..).unwrap_or_default()
    }

    fn held_bytes(&self) -> &[u8] {
        self.bytes.get(..self.held).unwrap_or_default()
    }

    /// How many bytes are still to come before the frame can be told.
    fn missing(&self) -> usize {
        let with_code = self.held >= FRAME_HEADER && matches!(self.kind(), RST_STREAM | GOAWAY);
        let wanted = if with_code { (FRAME_HEADER + self.length()).min(SEEN) } else { FRAME_HEADER };
        wanted.saturating_sub(self.held)
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.held..).unwrap_or_default();
        room.iter_mut().zip(bytes).for_each(|(room, byte)| *room = *byte);
        self.held += bytes.len();
    }
}
