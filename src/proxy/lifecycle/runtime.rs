//! RuntimePlan: how Pingora's server runs.

use pingora::server::Server;
use pingora::server::configuration::ServerConf;

use crate::proxy::crypto;

/// RuntimePlan: how a Pingora server runs.
#[derive(Debug, Clone)]
pub struct RuntimePlan {
    /// Threads of each service.
    pub threads: usize,
    /// Idle connections to all upstreams together.
    pub upstream_pool: usize,
    /// Attempts after the first, where an upstream cannot be reached.
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
    /// The grace period is zero: [`ShutdownCoordinator`](super::ShutdownCoordinator) drains before Pingora is stopped, and
    /// Pingora would only sleep. Work stealing is on: without it a task stays on the thread that accepted it.
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

    /// A Pingora server, whose `run` blocks its thread until the end.
    pub fn server(&self) -> Server {
        crypto::install_provider();
        Server::new_with_opt_and_conf(None, self.server_conf())
    }
}
