//! Descriptors: whether this process may open as many files as its connections can need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Settings;

/// Files that are open besides: logs, policies, keys, the upstreams' idle connections.
const BESIDES: u64 = 256;

/// A line for the operator where the system gives fewer descriptors than the settings' connections need.
///
/// The soft limit, which is low for programs that use `select`, is raised to the hard one before.
pub(super) fn shortage(settings: &Settings) -> Option<String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the soft limit of open files stays");
    }
    let listeners = u64::try_from(settings.listeners.len()).unwrap_or(u64::MAX);
    let connections = u64::try_from(settings.limits.connections).unwrap_or(u64::MAX).saturating_mul(listeners);
    short(connections, &std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// A connection to the client has one to the upstream behind it.
fn short(connections: u64, limits: &str) -> Option<String> {
    let needed = connections.saturating_mul(2).saturating_add(BESIDES);
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let given: u64 = files.split_whitespace().next()?.parse().ok()?;
    (given < needed).then(|| {
        format!(
            "{given} open files are allowed, {connections} connections need {needed}: raise `ulimit -n` or \
             `LimitNOFILE=`, or lower `limits: connections`"
        )
    })
}

#[cfg(test)]
mod tests;
