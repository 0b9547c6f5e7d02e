//! The program's own log: lines of text or JSON on standard error, without any content of requests.

mod queue;
mod throttle;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::settings::{LogFormat, LogLevel};

use queue::LogQueue;

pub use queue::FlushGuard;
pub use throttle::LogThrottle;

/// Log lines that were dropped since the start of this process.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Starts the log of this process; returns an error if it was started before.
///
/// A slow or stuck reader of standard error blocks no thread: lines wait in a queue and are dropped when it is full.
/// The waiting lines are written when the returned guard is dropped.
pub fn init(format: LogFormat, level: LogLevel) -> Result<FlushGuard, String> {
    let (queue, flush) =
        LogQueue::spawn(io::stderr(), &DROPPED).map_err(|error| format!("the log cannot be written: {error}"))?;
    init_to(format, level, queue).map(|()| flush)
}

/// The number of lines that were dropped because standard error was not read fast enough.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

fn init_to<W>(format: LogFormat, level: LogLevel, writer: W) -> Result<(), String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    registry().with(targets(level)).with(lines).try_init().map_err(|error| error.to_string())
}

/// The log levels: this program at `level`, its dependencies at warnings, and three parts of Pingora not at all.
///
/// Warnings and errors of `pingora_proxy` and of Pingora's HTTP code contain parts of messages: the request's target
/// with its query, the header of a malformed response, an invalid `Content-Length`. At `debug` they even contain a
/// malformed request as received, `Authorization` included. Therefore no level of them is safe, and other dependencies
/// log only warnings and errors. The audit record (`failure`) and the metrics show the outcome of a request.
fn targets(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("portcullis", own)
        .with_target("pingora_proxy", LevelFilter::OFF)
        .with_target("pingora_core::apps", LevelFilter::OFF)
        .with_target("pingora_core::protocols::http", LevelFilter::OFF)
}

#[cfg(test)]
mod tests;
