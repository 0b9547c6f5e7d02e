//! Listeners: bound before anything starts, then accepting connections for one Pingora application.

mod accept;
mod bind_error;
mod bound;
mod counters;
mod plan;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerOptions, ServerApp};
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service;

use crate::proxy::lifecycle::Draining;

use accept::AcceptLoop;

pub use bind_error::BindError;
pub use bound::BoundListener;
pub use counters::ConnectionCounters;
pub use plan::{ListenerLimits, ListenerPlan};

#[cfg(test)]
mod tests;

/// The options of an `HttpProxy` behind a [`ListenerService`].
///
/// HTTP/2 connections end after `idle` without a request; Pingora would leave them open. CONNECT is refused by a
/// decision like everything else; Pingora would answer it itself.
pub fn http_options(idle: Duration) -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(idle);
    options.allow_connect_method_proxying = true;
    options
}

/// ListenerService: a Pingora service that accepts connections on bound sockets for one application.
pub struct ListenerService<A> {
    name: String,
    app: Arc<A>,
    listeners: Vec<BoundListener>,
    draining: Draining,
    on_open: Option<OnOpen>,
}

type OnOpen = Box<dyn FnOnce() + Send + Sync>;

impl<A> fmt::Debug for ListenerService<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerService")
            .field("name", &self.name)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl<A> ListenerService<A> {
    /// A service of `app`, which closes when `draining` does or the server shuts down.
    pub fn new(name: impl Into<String>, app: A, draining: Draining) -> Self {
        Self { name: name.into(), app: Arc::new(app), listeners: Vec::new(), draining, on_open: None }
    }

    /// The same service, which calls `on_open` once it accepts connections.
    #[must_use]
    pub fn on_open(mut self, on_open: impl FnOnce() + Send + Sync + 'static) -> Self {
        self.on_open = Some(Box::new(on_open));
        self
    }

    /// The same service, which also accepts on `bound`.
    #[must_use]
    pub fn listening(mut self, bound: BoundListener) -> Self {
        self.listeners.push(bound);
        self
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> Service for ListenerService<A> {
    async fn start_service(&mut self, _fds: Option<ListenFds>, mut shutdown: ShutdownWatch, _listeners_per_fd: usize) {
        let draining = self.draining.clone();
        tokio::spawn(async move {
            let _ = shutdown.wait_for(|begun| *begun).await;
            draining.hang_up();
        });
        let mut accepting = Vec::new();
        let mut counters = Vec::new();
        for bound in self.listeners.drain(..) {
            counters.push(bound.counters());
            match AcceptLoop::open(bound) {
                Ok((accept_loop, socket)) => {
                    accepting.push(tokio::spawn(accept_loop.accept(socket, self.app.clone(), self.draining.watch())));
                }
                Err(error) => {
                    // The event loop cannot take the listener: `/ready` reports the whole process as not ready.
                    tracing::error!(%error, service = self.name, "cannot accept connections");
                    self.draining.leave();
                }
            }
        }
        if let Some(on_open) = self.on_open.take() {
            on_open();
        }
        for accept_loop in accepting {
            let _ = accept_loop.await;
        }
        self.draining.hung_up().await;
        // Wakes the idle connections of an `HttpProxy`, which then close.
        self.app.cleanup().await;
        for counters in counters {
            counters.open().idle().await;
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}
