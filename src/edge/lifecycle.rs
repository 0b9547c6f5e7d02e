//! How a gateway process begins and ends: runtime settings, what is under way, draining, and the signals that ask for it.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::configuration::ServerConf;
use pingora::server::{Server, ShutdownSignal, ShutdownSignalWatch, ShutdownWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

#[cfg(test)]
mod tests;

/// How long the last bytes of finished exchanges may take to leave once nothing is in flight.
const SETTLE: Duration = Duration::from_millis(500);

/// RuntimePlan: how a Pingora server runs, as the settings say.
#[derive(Debug, Clone)]
pub struct RuntimePlan {
    /// Threads of each service.
    pub threads: usize,
    /// Idle connections kept to upstreams, over all of them.
    pub upstream_pool: usize,
    /// Attempts after the first one where an upstream cannot be reached.
    pub retries: usize,
}

impl Default for RuntimePlan {
    fn default() -> Self {
        Self { threads: std::thread::available_parallelism().map_or(1, usize::from), upstream_pool: 128, retries: 1 }
    }
}

impl RuntimePlan {
    /// A Pingora configuration: in the foreground, without a pid file and without an upgrade socket.
    ///
    /// The grace period is zero because [`Ending`] has drained before Pingora hears of the end, and Pingora would only
    /// sleep through it. Work stealing stays on: without it a task stays on the thread that accepted it.
    pub fn server_conf(&self) -> ServerConf {
        ServerConf {
            threads: self.threads,
            work_stealing: true,
            upstream_keepalive_pool_size: self.upstream_pool,
            max_retries: self.retries,
            grace_period_seconds: Some(0),
            graceful_shutdown_timeout_seconds: Some(1),
            daemon: false,
            pid_file: String::new(),
            upgrade_sock: String::new(),
            ..ServerConf::default()
        }
    }

    /// A Pingora server; `run` on it blocks its thread until the end.
    pub fn server(&self) -> Server {
        super::tls::install_crypto_provider();
        Server::new_with_opt_and_conf(None, self.server_conf())
    }
}

/// InFlight: a count of what is under way, which can be waited on to become zero.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    now: AtomicUsize,
    zero: Notify,
}

impl InFlight {
    /// A guard that counts as one until it is dropped.
    pub fn enter(&self) -> InFlightGuard {
        self.0.now.fetch_add(1, Ordering::AcqRel);
        InFlightGuard(self.0.clone())
    }

    /// A guard as of [`InFlight::enter`], unless `limit` of them are out already.
    pub fn enter_below(&self, limit: usize) -> Option<InFlightGuard> {
        self.0
            .now
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < limit).then_some(now + 1))
            .ok()
            .map(|_| InFlightGuard(self.0.clone()))
    }

    /// The number of guards that are out.
    pub fn count(&self) -> usize {
        self.0.now.load(Ordering::Acquire)
    }

    /// The moment when no guard is out.
    pub async fn idle(&self) {
        loop {
            let mut zero = pin!(self.0.zero.notified());
            zero.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            zero.await;
        }
    }
}

/// InFlightGuard: one thing under way, over when dropped.
#[derive(Debug)]
pub struct InFlightGuard(Arc<Count>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if self.0.now.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.zero.notify_waiters();
        }
    }
}

/// Draining: the one-way change from serving to leaving, shared by `/ready` and by every listener.
#[derive(Debug, Clone)]
pub struct Draining(Arc<Stages>);

#[derive(Debug)]
struct Stages {
    leaving: AtomicBool,
    closed: watch::Sender<bool>,
}

impl Default for Draining {
    fn default() -> Self {
        Self(Arc::new(Stages { leaving: AtomicBool::new(false), closed: watch::Sender::new(false) }))
    }
}

impl Draining {
    /// Makes the process not ready, while its listeners go on.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Release);
    }

    /// Closes the listeners and idle connections; what is in flight goes on.
    pub fn close(&self) {
        self.leave();
        self.0.closed.send_replace(true);
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

/// Stop: a trigger by which the program ends a server without a signal.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Notify>);

impl Stop {
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
    /// The time that exchanges in flight may then take.
    pub deadline: Duration,
}

impl Default for DrainPlan {
    fn default() -> Self {
        Self { notice: Duration::ZERO, deadline: Duration::from_secs(30) }
    }
}

/// Ending: what makes a Pingora server stop, in place of Pingora's own signals.
///
/// SIGTERM, SIGINT or [`Stop`] drain and then end; a second one ends at once; SIGHUP calls the reload.
pub struct Ending {
    plan: DrainPlan,
    draining: Draining,
    exchanges: InFlight,
    connections: Vec<InFlight>,
    stop: Stop,
    reload: Option<Reload>,
    signals: bool,
}

type Reload = Arc<dyn Fn() + Send + Sync>;

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending").field("plan", &self.plan).field("signals", &self.signals).finish_non_exhaustive()
    }
}

impl Ending {
    /// An ending that hears only `stop`, waits for `exchanges` and tells `draining`.
    pub fn new(plan: DrainPlan, draining: Draining, exchanges: InFlight, stop: Stop) -> Self {
        Self { plan, draining, exchanges, connections: Vec::new(), stop, reload: None, signals: false }
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

    async fn drain(&self) {
        self.draining.leave();
        sleep(self.plan.notice).await;
        self.draining.close();
        if timeout(self.plan.deadline, self.exchanges.idle()).await.is_err() {
            tracing::warn!(in_flight = self.exchanges.count(), "drain deadline reached, cutting what is in flight");
            return;
        }
        // An HTTP/2 connection still writes the frames of an exchange that is over.
        let settled = async {
            for connections in &self.connections {
                connections.idle().await;
            }
        };
        let _ = timeout(SETTLE, settled).await;
    }

    /// The next request to end; a SIGHUP in between reloads.
    async fn requested(&self, heard: &mut Option<Heard>) {
        loop {
            let hung_up = match heard {
                None => {
                    self.stop.0.notified().await;
                    false
                }
                Some(heard) => tokio::select! {
                    () = self.stop.0.notified() => false,
                    _ = heard.terminate.recv() => false,
                    _ = heard.interrupt.recv() => false,
                    _ = heard.hang_up.recv() => true,
                },
            };
            if !hung_up {
                return;
            }
            if let Some(reload) = self.reload.clone() {
                tokio::task::spawn_blocking(move || reload());
            }
        }
    }
}

#[async_trait]
impl ShutdownSignalWatch for Ending {
    async fn recv(&self) -> ShutdownSignal {
        let mut heard = match self.signals.then(Heard::listen).transpose() {
            Ok(heard) => heard,
            Err(error) => {
                tracing::error!(%error, "cannot listen to signals, ending");
                return ShutdownSignal::FastShutdown;
            }
        };
        self.requested(&mut heard).await;
        tracing::info!(in_flight = self.exchanges.count(), "draining");
        tokio::select! {
            () = self.drain() => ShutdownSignal::GracefulTerminate,
            () = self.requested(&mut heard) => ShutdownSignal::FastShutdown,
        }
    }
}

struct Heard {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Heard {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}
