//! Raw HTTP for tests, which control every byte on the socket.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(10);

/// RawResponse: a response with its unparsed header.
#[derive(Debug)]
pub(super) struct RawResponse {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl RawResponse {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Sends one request on a new connection and returns the response.
pub(super) async fn send(address: SocketAddr, line: &str, headers: &[&str], body: &str) -> RawResponse {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    // A server that refuses a body early may close the connection before it has read all of it.
    stream.write_all(request.as_bytes()).await.ok();
    let mut bytes = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut bytes)).await.expect("the server answers in time").ok();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole header in {text:?}"));
    RawResponse { status: status(head), head: head.to_owned(), body: body.to_owned() }
}

/// Sends `request` and returns the response header and the stream after it.
pub(super) async fn upgrade(address: SocketAddr, request: &str) -> (RawResponse, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(TIMEOUT, stream.read_u8()).await.expect("the server answers in time").unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    (RawResponse { status: status(&head), head, body: String::new() }, stream)
}

/// Reads exactly `count` bytes.
pub(super) async fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    timeout(TIMEOUT, stream.read_exact(&mut bytes)).await.expect("the server sends in time").unwrap();
    bytes
}

/// Whether the server closes the connection without sending more bytes.
pub(super) async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let read = timeout(TIMEOUT, stream.read_to_end(&mut rest)).await.expect("the server closes in time");
    read.is_err() || rest.is_empty()
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {head:?}"))
}
