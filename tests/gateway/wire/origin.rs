//! An origin server that records every request to the byte, and answers as the test determines.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::client::find;

/// The idle timeout of a connection.
const SILENCE: Duration = Duration::from_secs(60);

/// Origin: the upstream behind the gateway; it stops with its handle.
pub(crate) struct Origin {
    address: SocketAddr,
    received: ReceivedRequests,
    stopped: Arc<AtomicBool>,
}

type ReceivedRequests = Arc<Mutex<Vec<ReceivedRequest>>>;

/// ReceivedRequest: a request as it arrived.
#[derive(Clone, Default)]
pub(crate) struct ReceivedRequest {
    /// Request line and header fields, including the empty line at their end.
    pub(crate) head: Vec<u8>,
    /// The bytes of the body as they arrived, chunk framing included.
    pub(crate) raw_body: Vec<u8>,
    /// The body without framing.
    pub(crate) body: Vec<u8>,
}

impl Origin {
    /// An origin that answers 200 with `ok`.
    pub(crate) fn start() -> Self {
        Self::with_responder(|_| ok("ok"))
    }

    /// An origin that answers each complete request with the bytes of `answer`.
    pub(crate) fn with_responder(answer: impl Fn(&ReceivedRequest) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with_script(move |mut stream, received| {
            let mut pending = Vec::new();
            while let Some(request) = read_request(&mut stream, &mut pending, received) {
                let mut bytes = answer(&request);
                if request.method() == "HEAD" {
                    bytes.truncate(find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4));
                }
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
        })
    }

    /// An origin that passes each connection to `script`.
    pub(crate) fn with_script(script: impl Fn(TcpStream, &Journal) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (received, stopped) = (ReceivedRequests::default(), Arc::new(AtomicBool::new(false)));
        let (journal, over, script) = (Journal(Arc::clone(&received)), Arc::clone(&stopped), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                stream.set_read_timeout(Some(SILENCE)).ok();
                stream.set_nodelay(true).ok();
                let (journal, script) = (journal.clone(), Arc::clone(&script));
                thread::spawn(move || script(stream, &journal));
            }
        });
        Self { address, received, stopped }
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request that has arrived, oldest first.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.received.lock().unwrap().clone()
    }

    /// The newest request; the test fails if there is none.
    pub(crate) fn last(&self) -> ReceivedRequest {
        self.requests().pop().expect("a request has reached the upstream")
    }

    /// The number of requests that have arrived.
    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// Waits until `count` requests have arrived.
    pub(crate) fn wait_for(&self, count: usize) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.count() < count {
            assert!(Instant::now() < until, "{} of {count} requests arrived", self.count());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        TcpStream::connect(self.address).ok();
    }
}

/// Journal: the log in which a script records requests.
#[derive(Clone)]
pub(crate) struct Journal(ReceivedRequests);

impl Journal {
    /// Records a request; returns its index in the journal.
    pub(crate) fn record_request(&self, received: ReceivedRequest) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(received);
        all.len() - 1
    }
}

impl ReceivedRequest {
    /// The request line.
    pub(crate) fn line(&self) -> String {
        self.text().split("\r\n").next().unwrap_or_default().to_owned()
    }

    /// The method.
    pub(crate) fn method(&self) -> String {
        self.line().split(' ').next().unwrap_or_default().to_owned()
    }

    /// The target, query included, as it arrived.
    pub(crate) fn target(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The head as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    /// Names as they arrived, and values.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let text = self.text();
        let fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.fields()
            .into_iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The only value of a header; the test fails if there are two.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        assert!(all.len() < 2, "`{name}` arrived {} times: {all:?}", all.len());
        all.pop()
    }
}

/// Reads one complete request; records the head as soon as it is complete, and the body afterwards.
pub(crate) fn read_request(
    stream: &mut TcpStream,
    pending: &mut Vec<u8>,
    journal: &Journal,
) -> Option<ReceivedRequest> {
    let end = loop {
        if let Some(at) = find(pending, b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, pending)?;
    };
    let mut received = ReceivedRequest { head: pending.drain(..end).collect(), ..ReceivedRequest::default() };
    let at = journal.record_request(received.clone());
    if received.header("transfer-encoding").is_some() {
        loop {
            let line_end = loop {
                match find(pending, b"\r\n") {
                    Some(at) => break at,
                    None => fill(stream, pending)?,
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&pending[..line_end]).ok()?.trim(), 16).ok()?;
            while pending.len() < line_end + 2 + size + 2 {
                fill(stream, pending)?;
            }
            received.body.extend(&pending[line_end + 2..line_end + 2 + size]);
            received.raw_body.extend(pending.drain(..line_end + 2 + size + 2));
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = received.header("content-length") {
        let length: usize = length.parse().ok()?;
        while pending.len() < length {
            fill(stream, pending)?;
        }
        received.body = pending.drain(..length).collect();
        received.raw_body.clone_from(&received.body);
    }
    // Other connections may have added entries meanwhile: the index is the one returned at the time.
    if let Some(entry) = journal.0.lock().unwrap().get_mut(at) {
        entry.clone_from(&received);
    }
    Some(received)
}

fn fill(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 64 * 1024];
    match stream.read(&mut chunk) {
        Ok(count) if count > 0 => {
            pending.extend_from_slice(&chunk[..count]);
            Some(())
        }
        _ => None,
    }
}

/// A 200 with a body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
