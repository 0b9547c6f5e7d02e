//! An upstream that checks, while it handles a request, whether the decision is already in the audit file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// AuditCheckingUpstream: a listener that stops with its handle, and the requests that it has received.
pub(super) struct AuditCheckingUpstream {
    address: SocketAddr,
    received: Arc<Mutex<Vec<(String, bool)>>>,
    accepting: JoinHandle<()>,
}

impl AuditCheckingUpstream {
    pub(super) async fn start(audit: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
        let (journal, audit) = (Arc::clone(&received), audit.to_owned());
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_connection(stream, audit.clone(), Arc::clone(&journal)));
            }
        });
        Self { address, received, accepting }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The ids of the received requests, and whether the decision of each was on disk on arrival.
    pub(super) fn requests(&self) -> Vec<(String, bool)> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for AuditCheckingUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve_connection(mut stream: TcpStream, audit: PathBuf, received: Arc<Mutex<Vec<(String, bool)>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let field = head.lines().find_map(|line| {
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("x-portcullis-decision"))
        });
        let id = field.expect("the gateway names its decision").1.to_owned();
        let text = std::fs::read_to_string(&audit).unwrap_or_default();
        let decision = text.lines().any(|line| line.starts_with("{\"record\":\"decision\"") && line.contains(&id));
        received.lock().unwrap().push((id.clone(), decision));
        let body = if head.starts_with("HEAD") { "" } else { "ok" };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nX-Seen-Decision: {id}\r\n\r\n{body}"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
