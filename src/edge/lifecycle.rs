//! How a gateway process begins and ends: runtime settings, what is under way, draining, and the signals that ask for it.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::configuration::ServerConf;
use pingora::server::{Server, ShutdownSignal, ShutdownSignalWatch, ShutdownWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

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
    /// The grace period is zero because [`ShutdownCoordinator`] has drained before Pingora hears of the end, and Pingora would only
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
pub struct InFlight(Arc<InFlightCount>);

#[derive(Debug, Default)]
struct InFlightCount {
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
pub struct InFlightGuard(Arc<InFlightCount>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if self.0.now.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.zero.notify_waiters();
        }
    }
}

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

enum SignalRequest {
    End,
    Reload,
    HandOver,
}

struct ProcessSignals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    quit: Signal,
}

/// Makes a write beyond the limit on the size of files an error of that write; by itself it would end the process.
///
/// # Errors
/// The signal cannot be heard.
pub fn survive_file_limits() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let context = runtime.enter();
    // What hears it may go: the process does not go back to ending by it.
    let heard = signal(SignalKind::from_raw(FILE_TOO_LONG)).map(drop);
    drop(context);
    runtime.shutdown_background();
    heard
}

/// SIGXFSZ, as Linux counts.
const FILE_TOO_LONG: i32 = 25;

impl ProcessSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }
}

/// What the next signal asks for; never, where none are heard.
async fn next(heard: &mut Option<ProcessSignals>) -> SignalRequest {
    let Some(heard) = heard else { return std::future::pending().await };
    tokio::select! {
        _ = heard.terminate.recv() => SignalRequest::End,
        _ = heard.interrupt.recv() => SignalRequest::End,
        _ = heard.hang_up.recv() => SignalRequest::Reload,
        _ = heard.quit.recv() => SignalRequest::HandOver,
    }
}
