//! A hand-written HTTP/2 connection, for requests that no client library would send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frame types and flags (RFC 9113, section 6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// StreamOutcome: the result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamOutcome {
    /// The request was answered.
    Status(u16),
    /// The stream was reset.
    Reset,
    /// The connection was closed.
    Closed,
}

impl StreamOutcome {
    /// Whether the outcome is a refusal of any kind.
    pub(super) fn is_refusal(self) -> bool {
        !matches!(self, Self::Status(status) if !(400..500).contains(&status))
    }
}

/// Http2Connection: one cleartext connection whose stream 1 is the request.
pub(super) struct Http2Connection(TcpStream);

impl Http2Connection {
    /// A connection after the preface and the settings.
    pub(super) fn connect(at: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(PREFACE).unwrap();
        let mut frames = Self(stream);
        frames.send(SETTINGS, 0, 0, b"");
        frames
    }

    /// Sends a frame; a connection that the gateway has already closed is not an error here.
    pub(super) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> &mut Self {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).ok();
        self
    }

    /// The outcome of stream 1.
    pub(super) fn outcome(&mut self) -> StreamOutcome {
        let mut head = [0; 9];
        while self.0.read_exact(&mut head).is_ok() {
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            if self.0.read_exact(&mut payload).is_err() {
                break;
            }
            match (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]])) {
                (HEADERS, 1) => return StreamOutcome::Status(status(&payload)),
                (RST_STREAM, 1) => return StreamOutcome::Reset,
                (GOAWAY, _) => return StreamOutcome::Closed,
                _ => {}
            }
        }
        StreamOutcome::Closed
    }
}

/// A header block of literal fields (RFC 7541, section 6.2.2).
pub(super) fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            length(&mut out, text.len());
            out.extend(*text);
        }
    }
    out
}

/// An integer with a seven-bit prefix (RFC 7541, section 5.1).
fn length(out: &mut Vec<u8>, count: usize) {
    let Some(mut rest) = count.checked_sub(127) else { return out.push(count as u8) };
    out.push(127);
    while rest >= 128 {
        out.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    out.push(rest as u8);
}

/// The status, the first field of a response: from the static table, or a literal with an indexed name.
fn status(block: &[u8]) -> u16 {
    // A dynamic table size update may precede it.
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    match block[0] {
        indexed @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        0x48 | 0x08 | 0x18 => {
            let text = &block[2..2 + usize::from(block[1] & 0x7f)];
            if block[1] & 0x80 == 0 { String::from_utf8_lossy(text).parse().unwrap() } else { digits(text) }
        }
        other => panic!("{other:#x} is no status: {block:?}"),
    }
}

/// Three digits in the Huffman code (RFC 7541, appendix B): `0` to `2` take five bits, the others six.
fn digits(bytes: &[u8]) -> u16 {
    let bits: Vec<u16> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1))).collect();
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let take = |count: usize| bits[at..at + count].iter().fold(0, |sum, bit| sum * 2 + bit);
        let (digit, count) = if take(5) < 3 { (take(5), 5) } else { (take(6) - 0b01_1001 + 3, 6) };
        number = number * 10 + digit;
        at += count;
    }
    number
}
