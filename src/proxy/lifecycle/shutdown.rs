//! Shutdown: what asks a process to end, and how it drains before it does.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::guard::in_flight::InFlight;

use super::draining::Draining;
use super::signals::{ProcessSignals, SignalRequest, next};

/// How long the last bytes of finished exchanges may take to leave once nothing is in flight.
const SETTLE: Duration = Duration::from_millis(500);

/// StopTrigger: a trigger by which the program ends a server without a signal.
#[derive(Debug, Clone, Default)]
pub struct StopTrigger(Arc<Notify>);

impl StopTrigger {
    /// Asks for the end, as SIGTERM does; the second call ends at once.
    pub fn request(&self) {
        self.0.notify_one();
    }
}

/// DrainPlan: how much time leaving may take.
#[derive(Debug, Clone)]
pub struct DrainPlan {
    /// The time between not being ready and closing the listeners, for load balancers to notice.
    pub notice: Duration,
    /// How long connections that are kept open may then wait for a request that is on its way already: its answer tells
    /// the client that the connection ends, which closing cannot.
    pub linger: Duration,
    /// The time that exchanges in flight may take, from closing the listeners on.
    pub deadline: Duration,
}

impl Default for DrainPlan {
    fn default() -> Self {
        Self { notice: Duration::ZERO, linger: Duration::from_millis(500), deadline: Duration::from_secs(30) }
    }
}

/// SocketHandOver: the way in which the listening sockets go to another process.
#[async_trait]
pub trait SocketHandOver: Send + Sync {
    /// Waits a bounded time for the other process; whether it serves now.
    async fn hand_over(&self) -> bool;
}

/// ShutdownCoordinator: what makes a Pingora server stop, in place of Pingora's own signals.
///
/// SIGTERM, SIGINT or [`StopTrigger`] drain and then end; a second one ends at once. SIGQUIT drains once another process has the
/// listening sockets, and SIGHUP calls the reload.
pub struct ShutdownCoordinator {
    plan: DrainPlan,
    draining: Draining,
    exchanges: InFlight,
    connections: Vec<InFlight>,
    stop: StopTrigger,
    reload: Option<ReloadCallback>,
    sockets: Mutex<Option<Arc<dyn SocketHandOver>>>,
    signals: bool,
}

type ReloadCallback = Arc<dyn Fn() + Send + Sync>;

impl fmt::Debug for ShutdownCoordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending").field("plan", &self.plan).field("signals", &self.signals).finish_non_exhaustive()
    }
}

impl ShutdownCoordinator {
    /// An ending that hears only `stop`, waits for `exchanges` and tells `draining`.
    pub fn new(plan: DrainPlan, draining: Draining, exchanges: InFlight, stop: StopTrigger) -> Self {
        let (connections, sockets) = (Vec::new(), Mutex::new(None));
        Self { plan, draining, exchanges, connections, stop, reload: None, sockets, signals: false }
    }

    /// The same ending, which also waits a moment for these connections to have said their last bytes.
    #[must_use]
    pub fn settling(mut self, connections: impl IntoIterator<Item = InFlight>) -> Self {
        self.connections.extend(connections);
        self
    }

    /// The same ending, which also hears the signals of the process; `reload` is called for SIGHUP, off the event loop.
    #[must_use]
    pub fn on_signals(mut self, reload: impl Fn() + Send + Sync + 'static) -> Self {
        self.signals = true;
        self.reload = Some(Arc::new(reload));
        self
    }

    /// The same ending, which hands the listening sockets over on SIGQUIT.
    #[must_use]
    pub fn handing_over(mut self, sockets: Option<Arc<dyn SocketHandOver>>) -> Self {
        self.sockets = Mutex::new(sockets);
        self
    }

    async fn drain(&self, handed_over: bool) {
        // Its handles of the sockets would keep them open.
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).take();
        if handed_over {
            self.draining.hand_over();
        } else {
            self.draining.leave();
            sleep(self.plan.notice).await;
        }
        self.draining.close();
        let deadline = Instant::now() + self.plan.deadline;
        let _ = timeout(self.plan.linger.min(self.plan.deadline), self.settled()).await;
        self.draining.hang_up();
        if timeout_at(deadline, self.exchanges.idle()).await.is_err() {
            tracing::warn!(in_flight = self.exchanges.count(), "drain deadline reached, cutting what is in flight");
            return;
        }
        // An HTTP/2 connection still writes the frames of an exchange that is over.
        let _ = timeout(SETTLE, self.settled()).await;
    }

    /// The moment when no connection is open.
    async fn settled(&self) {
        for connections in &self.connections {
            connections.idle().await;
        }
    }

    /// The next request to end; a SIGHUP in between reloads, and a SIGQUIT begins to hand the sockets over.
    async fn requested(&self, heard: &mut Option<ProcessSignals>) -> EndRequest {
        let mut handing: Option<HandOverFuture> = None;
        loop {
            let asked = tokio::select! {
                () = self.stop.0.notified() => SignalRequest::End,
                asked = next(heard) => asked,
                served = handed_over(&mut handing) => {
                    handing = None;
                    if served {
                        return EndRequest::HandedOver;
                    }
                    continue;
                }
            };
            match asked {
                SignalRequest::End => return EndRequest::Stops,
                SignalRequest::Reload => {
                    if let Some(reload) = self.reload.clone() {
                        tokio::task::spawn_blocking(move || reload());
                    }
                }
                SignalRequest::HandOver if handing.is_some() => {}
                SignalRequest::HandOver => {
                    let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    match sockets {
                        Some(sockets) => handing = Some(Box::pin(async move { sockets.hand_over().await })),
                        None => tracing::warn!("SIGQUIT changes nothing: there are no sockets to hand over"),
                    }
                }
            }
        }
    }
}

#[async_trait]
impl ShutdownSignalWatch for ShutdownCoordinator {
    async fn recv(&self) -> ShutdownSignal {
        let mut heard = match self.signals.then(ProcessSignals::listen).transpose() {
            Ok(heard) => heard,
            Err(error) => {
                tracing::error!(%error, "cannot listen to signals, ending");
                return ShutdownSignal::FastShutdown;
            }
        };
        let handed_over = self.requested(&mut heard).await == EndRequest::HandedOver;
        tracing::info!(in_flight = self.exchanges.count(), "draining");
        let hurried = async {
            if handed_over {
                // It drains without having been told to end: the first such word changes nothing.
                self.requested(&mut heard).await;
            }
            self.requested(&mut heard).await;
        };
        tokio::select! {
            () = self.drain(handed_over) => ShutdownSignal::GracefulTerminate,
            () = hurried => ShutdownSignal::FastShutdown,
        }
    }
}

#[derive(PartialEq, Eq)]
enum EndRequest {
    Stops,
    HandedOver,
}

/// HandOverFuture: the wait for another process, and whether it serves.
type HandOverFuture = Pin<Box<dyn Future<Output = bool> + Send>>;

async fn handed_over(handing: &mut Option<HandOverFuture>) -> bool {
    match handing {
        Some(handing) => handing.await,
        None => std::future::pending().await,
    }
}
