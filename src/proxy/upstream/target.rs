//! UpstreamTarget: the upstream of one API as the proxy uses it.

use std::sync::Arc;

use crate::audit::log::LogThrottle;

use super::Upstream;

/// UpstreamTarget: where the permitted requests of one API go.
#[derive(Debug)]
pub struct UpstreamTarget {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    /// Limits the log lines about its failures.
    pub failures: LogThrottle,
}

impl UpstreamTarget {
    /// A target whose failures have not been logged yet.
    pub fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, failures: LogThrottle::default() }
    }
}
