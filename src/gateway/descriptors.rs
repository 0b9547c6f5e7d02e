//! Descriptors: compares the process's limit of open files with the number that its connections can need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Settings;

/// The number of other open files: logs, policies, keys, idle connections to the upstreams.
const OTHER_FILES: u64 = 256;

/// A warning for the operator where the system allows fewer descriptors than the connections of the settings need.
///
/// First raises the soft limit to the hard limit; the soft limit is low only for programs that use `select`.
pub(super) fn shortage(settings: &Settings) -> Option<String> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the soft limit of open files stays");
    }
    let listeners = u64::try_from(settings.listeners.len()).unwrap_or(u64::MAX);
    let connections = u64::try_from(settings.limits.connections).unwrap_or(u64::MAX).saturating_mul(listeners);
    shortage_line(connections, &std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// The warning for so many connections; each client connection can need a second one to the upstream.
fn shortage_line(connections: u64, limits: &str) -> Option<String> {
    let needed = connections.saturating_mul(2).saturating_add(OTHER_FILES);
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let allowed: u64 = files.split_whitespace().next()?.parse().ok()?;
    (allowed < needed).then(|| {
        format!(
            "{allowed} open files are allowed, {connections} connections need {needed}: raise `ulimit -n` or \
             `LimitNOFILE=`, or lower `limits: connections`"
        )
    })
}

#[cfg(test)]
mod tests;
