//! Draining: the stages in which a process stops serving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pingora::server::ShutdownWatch;
use tokio::sync::watch;

/// Draining: the one-way change from serving to leaving, shared by `/ready` and by every listener.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<DrainState>);

#[derive(Debug, Default)]
struct DrainState {
    leaving: AtomicBool,
    closed: watch::Sender<bool>,
    hung_up: watch::Sender<bool>,
    handed_over: watch::Sender<bool>,
}

impl Draining {
    /// Makes the process not ready, while its listeners go on.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Release);
    }

    /// Closes the listeners; each connection that is kept open ends with the answer to its next request.
    pub fn close(&self) {
        self.leave();
        self.0.closed.send_replace(true);
    }

    /// Closes idle connections too; what is in flight goes on.
    pub fn hang_up(&self) {
        self.close();
        self.0.hung_up.send_replace(true);
    }

    /// Says that another process has the listening sockets.
    pub fn hand_over(&self) {
        self.leave();
        self.0.handed_over.send_replace(true);
    }

    /// The moment when idle connections are to close.
    pub async fn hung_up(&self) {
        let _ = self.0.hung_up.subscribe().wait_for(|begun| *begun).await;
    }

    /// The moment when another process has the listening sockets.
    pub async fn handed_over(&self) {
        let _ = self.0.handed_over.subscribe().wait_for(|begun| *begun).await;
    }

    /// Whether the process has begun to leave, which is what `/ready` asks.
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Acquire)
    }

    /// A watch that turns true when listeners close, in the form that Pingora's applications take.
    pub fn watch(&self) -> ShutdownWatch {
        self.0.closed.subscribe()
    }
}
