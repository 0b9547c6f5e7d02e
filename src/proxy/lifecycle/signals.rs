//! The signals of the process, and what each asks for.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SignalRequest: what a signal asks for.
pub(super) enum SignalRequest {
    End,
    Reload,
    HandOver,
}

/// ProcessSignals: the signals that the process listens to.
pub(super) struct ProcessSignals {
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
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }
}

/// What the next signal asks for; never, where none are heard.
pub(super) async fn next(heard: &mut Option<ProcessSignals>) -> SignalRequest {
    let Some(heard) = heard else { return std::future::pending().await };
    tokio::select! {
        _ = heard.terminate.recv() => SignalRequest::End,
        _ = heard.interrupt.recv() => SignalRequest::End,
        _ = heard.hang_up.recv() => SignalRequest::Reload,
        _ = heard.quit.recv() => SignalRequest::HandOver,
    }
}
