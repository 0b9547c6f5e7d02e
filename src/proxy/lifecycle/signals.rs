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

/// Turns a write beyond the limit on file sizes into an error of that write; by default it ends the process.
///
/// # Errors
/// The signal cannot be listened to.
pub fn survive_file_limits() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let context = runtime.enter();
    // Dropping the listener does not restore the default action.
    let listened = signal(SignalKind::from_raw(FILE_TOO_LONG)).map(drop);
    drop(context);
    runtime.shutdown_background();
    listened
}

/// SIGXFSZ, by its number on Linux.
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

/// Waits for the next signal, and returns what it asks for; waits forever where no signals are listened to.
pub(super) async fn next(signals: &mut Option<ProcessSignals>) -> SignalRequest {
    let Some(signals) = signals else { return std::future::pending().await };
    tokio::select! {
        _ = signals.terminate.recv() => SignalRequest::End,
        _ = signals.interrupt.recv() => SignalRequest::End,
        _ = signals.hang_up.recv() => SignalRequest::Reload,
        _ = signals.quit.recv() => SignalRequest::HandOver,
    }
}
