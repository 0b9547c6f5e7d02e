//! An upstream that sends the same response to every request, after a delay, and records the requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Backend: a listener that stops with its handle.
pub(crate) struct Backend {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: JoinHandle<()>,
}

impl Backend {
    /// A backend that sends `answer` once `delay` has passed after a request's header.
    pub(crate) async fn start(delay: Duration, answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let journal = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_connection(stream, delay, answer, Arc::clone(&journal)));
            }
        });
        Self { address, requests, accepting }
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The header blocks of the requests that have arrived.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves one connection, one request after the other; the requests have no body.
async fn serve_connection(mut stream: TcpStream, delay: Duration, answer: &[u8], requests: Arc<Mutex<Vec<Vec<u8>>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        requests.lock().unwrap().push(head);
        tokio::time::sleep(delay).await;
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}
