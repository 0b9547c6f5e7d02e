//! An origin server that accepts exactly one framing, and records anything that could be read in another way.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::wire::client::find;
use crate::wire::origin::{Journal, Origin, ReceivedRequest, ok};

/// FramingFaults: descriptions of anything that the gateway sent outside plain HTTP/1.1.
pub(super) type FramingFaults = Arc<Mutex<Vec<String>>>;

/// An origin that answers 200 to unambiguous requests, and records the rest.
pub(super) fn strict_origin() -> (Origin, FramingFaults) {
    let faults = FramingFaults::default();
    let recorded = Arc::clone(&faults);
    let origin = Origin::with_script(move |mut stream, journal| {
        let mut pending = Vec::new();
        loop {
            match read(&mut stream, &mut pending, journal) {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => return recorded.lock().unwrap().push(fault),
            }
            if stream.write_all(&ok("ok")).is_err() {
                return;
            }
        }
    });
    (origin, faults)
}

/// Reads one request; false if the connection ends before it is complete, because the gateway cut the body.
fn read(stream: &mut TcpStream, pending: &mut Vec<u8>, journal: &Journal) -> Result<bool, String> {
    let end = loop {
        if let Some(at) = find(pending, b"\r\n\r\n") {
            break at + 4;
        }
        if !fill(stream, pending) {
            let rest = String::from_utf8_lossy(pending);
            return if rest.is_empty() { Ok(false) } else { Err(format!("half a header: {rest:?}")) };
        }
    };
    let received = ReceivedRequest { head: pending.drain(..end).collect(), ..ReceivedRequest::default() };
    journal.record_request(received.clone());
    let chunked = parse_framing(&received).map_err(|fault| format!("{fault}: {}", received.text()))?;
    match chunked {
        true => chunks(stream, pending),
        false => {
            let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
            while pending.len() < length {
                if !fill(stream, pending) {
                    return Ok(false);
                }
            }
            pending.drain(..length);
            Ok(true)
        }
    }
}

/// Whether the body is chunked; an error if the head is not in the one plain form.
fn parse_framing(received: &ReceivedRequest) -> Result<bool, &'static str> {
    let text = std::str::from_utf8(&received.head).map_err(|_| "no UTF-8")?;
    let mut lines = text.strip_suffix("\r\n\r\n").ok_or("no end")?.split("\r\n");
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = first[..] else { return Err("a request line of other than three words") };
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err("a method of other than capitals");
    }
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a target that is no path");
    }
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or("a field without a colon and a blank")?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("a name of other than letters");
        }
        if value.trim() != value || value.chars().any(char::is_control) {
            return Err("a value with blanks around it or a control in it");
        }
    }
    let (lengths, codings) = (received.all("content-length"), received.all("transfer-encoding"));
    let digits = |length: &String| !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    match (&lengths[..], &codings[..]) {
        _ if received.all("host").len() != 1 => Err("not one Host"),
        ([], []) => Ok(false),
        ([length], []) if digits(length) => Ok(false),
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(true),
        _ => Err("not one framing"),
    }
}

/// Reads chunks of plain form: a hexadecimal size without extensions, and no trailers.
fn chunks(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Result<bool, String> {
    loop {
        let at = loop {
            match find(pending, b"\r\n") {
                Some(at) => break at,
                None if fill(stream, pending) => {}
                None => return Ok(false),
            }
        };
        let line = String::from_utf8_lossy(&pending[..at]).into_owned();
        let plain = !line.is_empty() && line.len() < 9 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(&line, 16).ok().filter(|_| plain);
        let size = size.ok_or_else(|| format!("a chunk of size {line:?}"))?;
        while pending.len() < at + 2 + size + 2 {
            if !fill(stream, pending) {
                return Ok(false);
            }
        }
        if !pending[at + 2 + size..].starts_with(b"\r\n") {
            return Err("a chunk without its end, or a trailer".to_owned());
        }
        pending.drain(..at + 2 + size + 2);
        if size == 0 {
            return Ok(true);
        }
    }
}

fn fill(stream: &mut TcpStream, pending: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 16 * 1024];
    let count = stream.read(&mut chunk).unwrap_or(0);
    pending.extend_from_slice(&chunk[..count]);
    count > 0
}
