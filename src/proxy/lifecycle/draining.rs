//! Draining: the stages in which a process stops serving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pingora::server::ShutdownWatch;
use tokio::sync::watch;

/// Draining: the stage of a process that stops serving, shared by `/ready` and every listener; it only advances.
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
    /// Makes the process not ready; its listeners continue to accept.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Release);
    }

    /// Closes the listeners; a connection that is kept open ends with the response to its next request.
    pub fn close(&self) {
        self.leave();
        self.0.closed.send_replace(true);
    }

    /// Closes idle connections too; open exchanges continue.
    pub fn hang_up(&self) {
        self.close();
        self.0.hung_up.send_replace(true);
    }

    /// Marks the listening sockets as handed over to another process.
    pub fn hand_over(&self) {
        self.leave();
        self.0.handed_over.send_replace(true);
    }

    /// Waits until idle connections must close.
    pub async fn hung_up(&self) {
        let _ = self.0.hung_up.subscribe().wait_for(|begun| *begun).await;
    }

    /// Waits until another process has the listening sockets.
    pub async fn handed_over(&self) {
        let _ = self.0.handed_over.subscribe().wait_for(|begun| *begun).await;
    }

    /// Whether the process has begun to stop serving, which `/ready` reports.
    pub fn is_leaving(&self) -> bool {
        self.0.leaving.load(Ordering::Acquire)
    }

    /// A watch that becomes true when listeners close, in the form that Pingora's applications take.
    pub fn watch(&self) -> ShutdownWatch {
        self.0.closed.subscribe()
    }
}
