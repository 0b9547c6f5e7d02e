//! A hand-written HTTP/1.1 client, so that the test controls every byte on the socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The time limit of a response.
const PATIENCE: Duration = Duration::from_secs(30);

/// Client: one connection to the gateway.
pub(crate) struct Client {
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Client {
    /// A connection to `at`.
    pub(crate) fn connect(at: SocketAddr) -> Self {
        Self::from_stream(TcpStream::connect(at).expect("the gateway listens"))
    }

    /// A client on an existing connection.
    pub(crate) fn from_stream(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, pending: Vec::new() }
    }

    /// Sends bytes; a gateway that has already refused may have closed the connection, which is no error here.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).ok();
        self
    }

    /// Sends bytes; an error if the gateway no longer accepts them.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// A clone of the socket, for a second thread.
    pub(crate) fn socket(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// The response to a request other than HEAD.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer(false).expect("the gateway answers")
    }

    /// The response to HEAD.
    pub(crate) fn answer_to_head(&mut self) -> Answer {
        self.try_answer(true).expect("the gateway answers")
    }

    /// The head of the next response, interim ones included; the following bytes stay on the connection.
    pub(crate) fn head(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(at) = find(&self.pending, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                return None;
            }
        };
        let head: Vec<u8> = self.pending.drain(..end).collect();
        Some(Answer::from_stream(&String::from_utf8(head).unwrap()))
    }

    /// The next final response; `None` if the connection ended without one.
    pub(crate) fn try_answer(&mut self, to_head: bool) -> Option<Answer> {
        let mut answer = self.head()?;
        while matches!(answer.status, 100 | 103) {
            answer = self.head()?;
        }
        if to_head || matches!(answer.status, 101 | 204 | 304) {
            return Some(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            answer.body = self.chunks();
        } else if let Some(length) = answer.header("content-length") {
            answer.body = self.exactly(length.parse().unwrap());
        } else {
            while self.more() {}
            answer.body = std::mem::take(&mut self.pending);
        }
        Some(answer)
    }

    /// Exactly `count` bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.pending.len() < count {
            assert!(self.more(), "the connection ended after {} of {count} bytes", self.pending.len());
        }
        self.pending.drain(..count).collect()
    }

    /// Whether the gateway sends nothing for `time` and keeps the connection open.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut byte = [0];
        let read = self.stream.read(&mut byte);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match read {
            Ok(count) => {
                self.pending.extend(byte.iter().take(count));
                false
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    /// Closes the sending side of the connection.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).ok();
    }

    /// Reads more bytes; false at the end of the connection.
    pub(crate) fn more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.pending.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the gateway neither answered nor closed within {PATIENCE:?}")
            }
            Err(_) => false,
        }
    }

    /// Takes the bytes that were read and not consumed.
    pub(crate) fn taken(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    /// The bytes that were read and not consumed.
    pub(crate) fn peek(&self) -> &[u8] {
        &self.pending
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.line();
            let size = usize::from_str_radix(line.split(';').next().unwrap().trim(), 16).unwrap();
            if size == 0 {
                while !self.line().is_empty() {}
                return body;
            }
            body.extend(self.exactly(size));
            assert_eq!(self.exactly(2), b"\r\n");
        }
    }

    fn line(&mut self) -> String {
        let end = loop {
            if let Some(at) = find(&self.pending, b"\r\n") {
                break at;
            }
            assert!(self.more(), "the connection ended inside a body");
        };
        let line: Vec<u8> = self.pending.drain(..end + 2).collect();
        String::from_utf8(line[..end].to_vec()).unwrap()
    }
}

/// Answer: a response of the gateway.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Names in lower case and values, in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn from_stream(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let field = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
        Self {
            status: status.unwrap_or_else(|| panic!("no status in {first:?}")),
            headers: lines.filter_map(field).collect(),
            body: Vec::new(),
        }
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The reason of a refusal: the last part of the problem's `type`.
    pub(crate) fn reason(&self) -> String {
        let problem = self.json();
        let kind = problem["type"].as_str().unwrap_or_else(|| panic!("no type in {problem}"));
        kind.strip_prefix("urn:portcullis:reason:").unwrap_or_else(|| panic!("another type: {kind}")).to_owned()
    }
}

/// The response to one request on a connection of its own.
pub(crate) fn ask(at: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let to_head = request.as_ref().starts_with(b"HEAD ");
    let mut client = Client::connect(at);
    client.send(request).try_answer(to_head).expect("the gateway answers")
}

/// The bytes of a request: a request line without version, header lines, and a body with its length if there is one.
pub(crate) fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\n");
    let has = |name: &str| headers.iter().any(|header| header.to_ascii_lowercase().starts_with(name));
    if !has("host:") {
        text.push_str("Host: noah.test\r\n");
    }
    headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
    if !body.is_empty() && !has("content-length:") && !has("transfer-encoding:") {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut bytes = text.into_bytes();
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// The header line that presents `token`.
pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// The position of `needle`.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
