//! An origin server with a fault that the test switches.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::wire::origin::{Origin, ok, read_request};

/// UpstreamFault: the behaviour of an upstream after it has read a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum UpstreamFault {
    None,
    Closes,
    Resets,
    HalfCloses,
    SaysNothing,
    Garbage,
    LongHeader,
    ShortBody,
    StuckBody,
    ResetInBody,
    TwoAnswers,
    Interims,
    BadLength,
}

/// An upstream that behaves as the shared value says, also on persistent connections.
pub(super) fn failing_origin() -> (Origin, Arc<Mutex<UpstreamFault>>) {
    let fault = Arc::new(Mutex::new(UpstreamFault::None));
    let now = Arc::clone(&fault);
    let origin = Origin::with_script(move |mut stream, journal| {
        let mut pending = Vec::new();
        while read_request(&mut stream, &mut pending, journal).is_some() {
            let fault = *now.lock().unwrap();
            let bytes: Vec<u8> = match fault {
                UpstreamFault::None => ok("fine"),
                UpstreamFault::Closes => return,
                UpstreamFault::Resets => return reset(&stream),
                UpstreamFault::HalfCloses => {
                    stream.shutdown(Shutdown::Write).ok();
                    stream.read_to_end(&mut pending).ok();
                    return;
                }
                UpstreamFault::SaysNothing => {
                    stream.read_to_end(&mut pending).ok();
                    return;
                }
                UpstreamFault::Garbage => b"\x16\x03\x01 this is no HTTP\r\n\r\n".to_vec(),
                UpstreamFault::LongHeader => {
                    let mut bytes = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
                    bytes.resize(4 << 20, b'a');
                    bytes
                }
                UpstreamFault::ShortBody => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec(),
                UpstreamFault::StuckBody | UpstreamFault::ResetInBody => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").ok();
                    if fault == UpstreamFault::StuckBody {
                        stream.read_to_end(&mut pending).ok();
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                    return reset(&stream);
                }
                UpstreamFault::TwoAnswers => [ok("mine"), ok("STOLEN")].concat(),
                UpstreamFault::Interims => {
                    let mut bytes = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(50);
                    bytes.extend(ok("fine"));
                    bytes
                }
                UpstreamFault::BadLength => {
                    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhalf!".to_vec()
                }
            };
            let sent = stream.write_all(&bytes);
            if sent.is_err()
                || matches!(fault, UpstreamFault::ShortBody | UpstreamFault::Garbage | UpstreamFault::LongHeader)
            {
                return;
            }
        }
    });
    (origin, fault)
}

/// Closes a connection with a reset.
pub(super) fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}
