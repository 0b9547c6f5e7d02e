//! A large generated body, its digest, and origins that receive or send it.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use super::client::find;
use super::origin::{Origin, ReceivedRequest, ok};

/// Longer than any buffer of the gateway.
pub(super) const LARGE: usize = 64 << 20;

/// BodyDigest: the length and a checksum of a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BodyDigest {
    pub(super) length: u64,
    pub(super) hash: u64,
}

impl BodyDigest {
    /// The order of the bytes counts, the boundaries between pieces do not.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        for byte in bytes {
            self.hash = self.hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte);
        }
    }
}

/// Passes [`LARGE`] bytes to `take` in distinct pieces, and returns their digest.
pub(super) fn generate_body(mut take: impl FnMut(&[u8])) -> BodyDigest {
    let mut sum = BodyDigest::default();
    let mut piece = vec![0_u8; 64 * 1024];
    for at in 0..LARGE / piece.len() {
        for (place, byte) in piece.iter_mut().enumerate() {
            *byte = (place.wrapping_mul(31) ^ at ^ (place >> 8)) as u8;
        }
        sum.add(&piece);
        take(&piece);
    }
    sum
}

/// An origin that digests one large body and answers 200.
pub(super) fn digesting_origin() -> (Origin, Arc<Mutex<BodyDigest>>) {
    let sum = Arc::new(Mutex::new(BodyDigest::default()));
    let shared = Arc::clone(&sum);
    let origin = Origin::with_script(move |mut stream, journal| {
        let mut pending = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        let mut fill = |pending: &mut Vec<u8>| match stream.read(&mut chunk) {
            Ok(count) if count > 0 => {
                pending.extend_from_slice(&chunk[..count]);
                true
            }
            _ => false,
        };
        let end = loop {
            if let Some(at) = find(&pending, b"\r\n\r\n") {
                break at + 4;
            }
            if !fill(&mut pending) {
                return;
            }
        };
        let received = ReceivedRequest { head: pending.drain(..end).collect(), ..ReceivedRequest::default() };
        journal.record_request(received.clone());
        let mut sum = BodyDigest::default();
        if let Some(length) = received.header("content-length") {
            let length: u64 = length.parse().unwrap();
            loop {
                sum.add(&pending);
                pending.clear();
                if sum.length >= length {
                    break;
                }
                if !fill(&mut pending) {
                    return;
                }
            }
        } else {
            loop {
                let at = loop {
                    match find(&pending, b"\r\n") {
                        Some(at) => break at,
                        None if fill(&mut pending) => {}
                        None => return,
                    }
                };
                let size = usize::from_str_radix(std::str::from_utf8(&pending[..at]).unwrap(), 16).unwrap();
                while pending.len() < at + 2 + size + 2 {
                    if !fill(&mut pending) {
                        return;
                    }
                }
                sum.add(&pending[at + 2..at + 2 + size]);
                pending.drain(..at + 2 + size + 2);
                if size == 0 {
                    break;
                }
            }
        }
        *shared.lock().unwrap() = sum;
        stream.write_all(&ok("ok")).ok();
    });
    (origin, sum)
}

/// An origin that answers with one large body.
pub(super) fn large_body_origin(chunked: bool) -> Origin {
    Origin::with_script(move |mut stream, journal| {
        let mut pending = Vec::new();
        if super::origin::read_request(&mut stream, &mut pending, journal).is_none() {
            return;
        }
        if chunked {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
            generate_body(|piece| {
                let line = format!("{:x}\r\n", piece.len());
                stream.write_all(line.as_bytes()).unwrap();
                stream.write_all(piece).unwrap();
                stream.write_all(b"\r\n").unwrap();
            });
            stream.write_all(b"0\r\n\r\n").unwrap();
        } else {
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes()).unwrap();
            generate_body(|piece| stream.write_all(piece).unwrap());
        }
        // Until the gateway closes the connection: an early close would race with bytes in flight.
        let mut sink = [0; 64];
        let _ = stream.read(&mut sink);
    })
}
