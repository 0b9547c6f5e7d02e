//! Shutdown: the requests to end a process, and how it drains before it ends.

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

/// How long the last bytes of finished exchanges may take to be sent, once no exchange is open.
const SETTLE: Duration = Duration::from_millis(500);

/// StopTrigger: ends a server from within the program, without a signal.
#[derive(Debug, Clone, Default)]
pub struct StopTrigger(Arc<Notify>);

impl StopTrigger {
    /// Requests the end, as SIGTERM does; a second call ends at once.
    pub fn request(&self) {
        self.0.notify_one();
    }
}

/// DrainPlan: the times of a shutdown.
#[derive(Debug, Clone)]
pub struct DrainPlan {
    /// The time between being not ready and closing the listeners, for load balancers to notice.
    pub notice: Duration,
    /// How long open connections then wait for a request that is already on its way.
    ///
    /// The response to it says that the connection ends, which closing the connection would not.
    pub linger: Duration,
    /// The time that open exchanges have, from closing the listeners on.
    pub deadline: Duration,
}

impl Default for DrainPlan {
    fn default() -> Self {
        Self { notice: Duration::ZERO, linger: Duration::from_millis(500), deadline: Duration::from_secs(30) }
    }
}

/// SocketHandOver: hands the listening sockets over to another process.
#[async_trait]
pub trait SocketHandOver: Send + Sync {
    /// Waits a bounded time for the other process; returns whether it serves now.
    async fn hand_over(&self) -> bool;
}

/// ShutdownCoordinator: stops a Pingora server, in place of Pingora's own signals.
///
/// SIGTERM, SIGINT or [`StopTrigger`] drain and then end; a second one ends at once. SIGQUIT drains once another process
/// has the listening sockets, and SIGHUP calls the reload.
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
    /// A coordinator that reacts only to `stop`, waits for `exchanges` and advances `draining`.
    pub fn new(plan: DrainPlan, draining: Draining, exchanges: InFlight, stop: StopTrigger) -> Self {
        let (connections, sockets) = (Vec::new(), Mutex::new(None));
        Self { plan, draining, exchanges, connections, stop, reload: None, sockets, signals: false }
    }

    /// The same coordinator, which also waits a moment for the last bytes of these connections.
    #[must_use]
    pub fn settling(mut self, connections: impl IntoIterator<Item = InFlight>) -> Self {
        self.connections.extend(connections);
        self
    }

    /// The same coordinator, which also reacts to the signals of the process.
    ///
    /// `reload` is called for SIGHUP, off the event loop.
    #[must_use]
    pub fn on_signals(mut self, reload: impl Fn() + Send + Sync + 'static) -> Self {
        self.signals = true;
        self.reload = Some(Arc::new(reload));
        self
    }

    /// The same coordinator, which hands the listening sockets over on SIGQUIT.
    #[must_use]
    pub fn handing_over(mut self, sockets: Option<Arc<dyn SocketHandOver>>) -> Self {
        self.sockets = Mutex::new(sockets);
        self
    }

    async fn drain(&self, handed_over: bool) {
        // The handles of the sockets would keep them open.
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
        // An HTTP/2 connection still writes the frames of a finished exchange.
        let _ = timeout(SETTLE, self.settled()).await;
    }

    /// Waits until no connection is open.
    async fn settled(&self) {
        for connections in &self.connections {
            connections.idle().await;
        }
    }

    /// Waits for the next request to end; a SIGHUP in between reloads, and a SIGQUIT begins the hand-over.
    async fn requested(&self, signals: &mut Option<ProcessSignals>) -> EndRequest {
        let mut hand_over: Option<HandOverFuture> = None;
        loop {
            let request = tokio::select! {
                () = self.stop.0.notified() => SignalRequest::End,
                request = next(signals) => request,
                served = await_hand_over(&mut hand_over) => {
                    hand_over = None;
                    if served {
                        return EndRequest::HandedOver;
                    }
                    continue;
                }
            };
            match request {
                SignalRequest::End => return EndRequest::Stops,
                SignalRequest::Reload => {
                    if let Some(reload) = self.reload.clone() {
                        tokio::task::spawn_blocking(move || reload());
                    }
                }
                SignalRequest::HandOver if hand_over.is_some() => {}
                SignalRequest::HandOver => {
                    let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    match sockets {
                        Some(sockets) => hand_over = Some(Box::pin(async move { sockets.hand_over().await })),
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
        let mut signals = match self.signals.then(ProcessSignals::listen).transpose() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "cannot listen to signals, ending");
                return ShutdownSignal::FastShutdown;
            }
        };
        let handed_over = self.requested(&mut signals).await == EndRequest::HandedOver;
        tracing::info!(in_flight = self.exchanges.count(), "draining");
        let second_request = async {
            if handed_over {
                // It drains without a request to end: the first such request changes nothing.
                self.requested(&mut signals).await;
            }
            self.requested(&mut signals).await;
        };
        tokio::select! {
            () = self.drain(handed_over) => ShutdownSignal::GracefulTerminate,
            () = second_request => ShutdownSignal::FastShutdown,
        }
    }
}

#[derive(PartialEq, Eq)]
enum EndRequest {
    Stops,
    HandedOver,
}

/// HandOverFuture: the wait for another process; its result is whether that process serves.
type HandOverFuture = Pin<Box<dyn Future<Output = bool> + Send>>;

async fn await_hand_over(hand_over: &mut Option<HandOverFuture>) -> bool {
    match hand_over {
        Some(hand_over) => hand_over.await,
        None => std::future::pending().await,
    }
}
