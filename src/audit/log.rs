//! The program's own log: to standard error, as text or JSON lines, without what requests carry.

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

/// Lines of this process that were dropped since its start.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Starts the log of this process; an error where it has been started before.
///
/// A reader of standard error that is slow or stuck holds nobody up: its lines wait, and are dropped where too many do.
/// Those that wait are written when the result is dropped.
pub fn init(format: LogFormat, level: LogLevel) -> Result<FlushGuard, String> {
    let (queue, flush) =
        LogQueue::before(io::stderr(), &DROPPED).map_err(|error| format!("the log cannot be written: {error}"))?;
    init_to(format, level, queue).map(|()| flush)
}

/// How many lines were dropped because nobody read them.
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

/// What is written: this program at `level`, its dependencies from warnings on, and these three not at all.
///
/// Warnings and errors of `pingora_proxy` and of Pingora's HTTP code hold the request's target with its query, the
/// header of a response that does not parse, or a bad `Content-Length`; at `debug` even a malformed request as
/// received, `Authorization` included. So no level of theirs is safe, and that of other dependencies ends at warnings.
/// What becomes of a request stands in the audit record (`failure`) and in the metrics.
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
