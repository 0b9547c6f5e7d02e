//! The frames of an HTTP/2 connection: budgets for a client's, and the refusals that the HTTP/2 library sends itself.

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
/// The bytes kept of a frame. Of a GOAWAY frame: the last stream, the code, and the beginning of the reason.
const KEPT: usize = FRAME_HEADER + 8 + 12;

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

/// FrameBudget: how many frames of a kind an HTTP/2 client may send before its connection ends.
#[derive(Debug, Clone, Copy)]
pub struct FrameBudget {
    /// Streams that the client resets, in ten seconds.
    pub resets: u32,
    /// Frames without content, in ten seconds.
    pub control_frames: u32,
    /// Bytes of one header block as sent, in the compressed form.
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
        let reader = FrameReader { skip: H2_PREFACE.len(), ..FrameReader::default() };
        Self { reader, budget, since: Instant::now(), resets: 0, control_frames: 0, block: 0 }
    }

    /// Counts the frames in these bytes; returns the limit that the connection has reached with them.
    pub(super) fn count(&mut self, bytes: &[u8]) -> Option<Limit> {
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

/// OutboundFrames: the frames to the client, some of which show that a limit was reached.
#[derive(Debug, Default)]
pub(super) struct OutboundFrames(FrameReader);

impl OutboundFrames {
    /// Calls `reached` with each limit that these bytes show.
    pub(super) fn read(&mut self, bytes: &[u8], mut reached: impl FnMut(Limit)) {
        self.0.read(bytes, |frame| match (frame.kind(), frame.code()) {
            (RST_STREAM, Some(REFUSED_STREAM)) => reached(Limit::Http2Streams),
            // The library's own limits: streams that were reset before they were served, a header block in too many
            // pieces or too large when decompressed, too many bytes without content.
            (GOAWAY, Some(ENHANCE_YOUR_CALM)) => reached(match frame.debug_data() {
                data if data.starts_with(b"too_many_res") => Limit::Http2Resets,
                data if data.starts_with(b"too_many_con") || data.starts_with(b"header_list_") => Limit::HeaderBytes,
                _ => Limit::Http2ControlFrames,
            }),
            _ => {}
        });
    }
}

/// FrameReader: finds the frames in a stream of bytes (RFC 9113, section 4.1), and keeps the beginning of the current.
#[derive(Debug, Default)]
struct FrameReader {
    current: Frame,
    /// Bytes to skip: they belong to no frame, or to one that was shown already.
    skip: usize,
}

impl FrameReader {
    fn read(&mut self, mut bytes: &[u8], mut see: impl FnMut(&Frame)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.split_at(skipped).1;
            let (taken, rest) = bytes.split_at(self.current.missing().min(bytes.len()));
            self.current.extend(taken);
            bytes = rest;
            if self.skip == 0 && self.current.missing() == 0 {
                see(&self.current);
                self.skip = (FRAME_HEADER + self.current.length()).saturating_sub(self.current.held);
                self.current.held = 0;
            }
        }
    }
}

/// Frame: the header of a frame, and the beginning of its payload where that is read.
#[derive(Debug, Default)]
struct Frame {
    bytes: [u8; KEPT],
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

    /// The beginning of the debug data of a GOAWAY frame (RFC 9113, section 6.8).
    fn debug_data(&self) -> &[u8] {
        self.held_bytes().get(FRAME_HEADER + 8..).unwrap_or_default()
    }

    fn held_bytes(&self) -> &[u8] {
        self.bytes.get(..self.held).unwrap_or_default()
    }

    /// The number of bytes that are missing before the frame can be shown.
    fn missing(&self) -> usize {
        let with_code = self.held >= FRAME_HEADER && matches!(self.kind(), RST_STREAM | GOAWAY);
        let wanted = if with_code { (FRAME_HEADER + self.length()).min(KEPT) } else { FRAME_HEADER };
        wanted.saturating_sub(self.held)
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.held..).unwrap_or_default();
        room.iter_mut().zip(bytes).for_each(|(room, byte)| *room = *byte);
        self.held += bytes.len();
    }
}
