//! Watcher: detects changed files: inotify makes it fast, and polling makes it reliable.

mod stamp;
mod writers;

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use stamp::FileStamp;
use writers::OpenWriters;

/// The pause after an event that ends a burst, so that a burst counts once.
const BURST_PAUSE: Duration = Duration::from_millis(20);

/// The longest duration of a burst.
const MAX_BURST: Duration = Duration::from_millis(100);

/// How soon a file that was being written is checked again.
const RECHECK_PAUSE: Duration = Duration::from_millis(50);

/// WatchedPath: a file or folder, and the callback for when it may have changed.
///
/// The callback may be called without a change, so that it must compare contents. It runs on the watcher's thread.
pub struct WatchedPath {
    path: PathBuf,
    on_change: Box<dyn Fn() + Send>,
}

impl WatchedPath {
    /// A path and the callback for its changes.
    pub fn new(path: impl Into<PathBuf>, on_change: impl Fn() + Send + 'static) -> Self {
        Self { path: path.into(), on_change: Box::new(on_change) }
    }
}

/// Watcher: a thread that watches paths until the watcher is dropped.
pub struct Watcher {
    trigger: ReloadTrigger,
    thread: Option<JoinHandle<()>>,
}

/// ReloadTrigger: makes a watcher call every callback immediately, for SIGHUP and the admin API.
#[derive(Clone)]
pub struct ReloadTrigger(Arc<WakeSignal>);

impl Watcher {
    /// Starts to watch the paths, and to check them every `poll` even without an event.
    ///
    /// Every callback is called once at the start, for changes since its owner first read the file. Without inotify the
    /// watcher only polls, and logs a warning.
    ///
    /// # Errors
    /// Fails if the thread cannot be started.
    pub fn start(watched: Vec<WatchedPath>, poll: Duration) -> io::Result<Self> {
        let (wakeup, wakeups) = sync_channel(1);
        let signal =
            Arc::new(WakeSignal { wakeup, reload_requested: AtomicBool::new(false), stopped: AtomicBool::new(false) });
        let mut watch_loop = WatchLoop {
            signal: Arc::clone(&signal),
            wakeups,
            poll,
            inotify: None,
            folders: BTreeSet::new(),
            writers: Arc::default(),
            writer_open: false,
            watched: watched.into_iter().map(|watched| (watched, None)).collect(),
        };
        let thread = std::thread::Builder::new().name("reload".into()).spawn(move || watch_loop.run())?;
        Ok(Self { trigger: ReloadTrigger(signal), thread: Some(thread) })
    }

    /// A trigger for this watcher that can be passed on.
    pub fn trigger(&self) -> ReloadTrigger {
        self.trigger.clone()
    }

    /// Makes the watcher call every callback, even without a change; does not wait for the calls.
    pub fn trigger_reload(&self) {
        self.trigger.trigger_reload();
    }
}

impl ReloadTrigger {
    /// Makes the watcher call every callback, even without a change; does not wait for the calls.
    pub fn trigger_reload(&self) {
        self.0.reload_requested.store(true, Ordering::SeqCst);
        self.0.wake();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.trigger.0.stopped.store(true, Ordering::SeqCst);
        self.trigger.0.wake();
        if let Some(thread) = self.thread.take() {
            // The thread catches the panics of callbacks, so that there is no error to pass on.
            let _ = thread.join();
        }
    }
}

struct WakeSignal {
    wakeup: SyncSender<()>,
    reload_requested: AtomicBool,
    stopped: AtomicBool,
}

impl WakeSignal {
    fn wake(&self) {
        // If a wake-up is already queued, another one is not needed.
        let _ = self.wakeup.try_send(());
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

struct WatchLoop {
    signal: Arc<WakeSignal>,
    wakeups: Receiver<()>,
    poll: Duration,
    inotify: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    writers: Arc<OpenWriters>,
    /// Whether the last check skipped a file because it was being written.
    writer_open: bool,
    watched: Vec<(WatchedPath, Option<FileStamp>)>,
}

impl WatchLoop {
    fn run(&mut self) {
        let (signal, writers) = (Arc::clone(&self.signal), Arc::clone(&self.writers));
        let on_event = move |event: notify::Result<notify::Event>| {
            if let Ok(event) = &event {
                writers.record_event(event);
            }
            if event.map_or(true, |event| is_change(event.kind)) {
                signal.wake();
            }
        };
        match notify::recommended_watcher(on_event) {
            Ok(inotify) => self.inotify = Some(inotify),
            Err(error) => {
                tracing::warn!(%error, poll = ?self.poll, "inotify is not available: changed files are found only by polling")
            }
        }
        while !self.signal.is_stopped() {
            // Set the watches before checking, so that a change in between causes an event. The watches are not renewed
            // while a writer has a file open, because the event that it has closed the file could get lost.
            if !self.writer_open {
                self.watch_folders();
            }
            self.check_paths();
            let wait = if self.writer_open { self.poll.min(RECHECK_PAUSE) } else { self.poll };
            match self.wakeups.recv_timeout(wait) {
                Ok(()) => self.wait_for_quiet(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn wait_for_quiet(&self) {
        let end = Instant::now() + MAX_BURST;
        while !self.signal.is_stopped() && Instant::now() < end && self.wakeups.recv_timeout(BURST_PAUSE).is_ok() {}
    }

    fn check_paths(&mut self) {
        let reload_requested = self.signal.reload_requested.swap(false, Ordering::SeqCst);
        self.writer_open = false;
        for (watched, last_stamp) in &mut self.watched {
            if self.signal.is_stopped() {
                return;
            }
            // The stamp is taken before the callback reads, so that a later change gives another stamp next time.
            let stamp = FileStamp::of(&watched.path);
            if !reload_requested && last_stamp.as_ref() == Some(&stamp) && !stamp.is_recent(SystemTime::now()) {
                continue;
            }
            if self.writers.is_being_written(&watched.path) {
                // The file was not read, so that the next check tries again.
                (self.writer_open, *last_stamp) = (true, None);
                continue;
            }
            *last_stamp = Some(stamp);
            if catch_unwind(AssertUnwindSafe(|| (watched.on_change)())).is_err() {
                tracing::error!(path = %watched.path.display(), "a reload ended in a panic; what was live stays");
            }
        }
    }

    /// Renews the watches, which are bound to folders and not to their names.
    ///
    /// Otherwise a folder that was deleted, renamed or replaced would cause no events.
    fn watch_folders(&mut self) {
        let Some(inotify) = &mut self.inotify else { return };
        for folder in std::mem::take(&mut self.folders) {
            // The watch of a deleted folder was removed with it.
            let _ = inotify.unwatch(&folder);
        }
        let wanted: BTreeSet<PathBuf> =
            self.watched.iter().flat_map(|(watched, _)| folders_of(&watched.path)).collect();
        for folder in wanted {
            if inotify.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(folder);
            }
        }
    }
}

/// The folders whose entries determine the content at `path`.
///
/// They are the folders of the path, of each symlink along it and of its target, and the path itself if it is a folder.
/// The result has canonical names only, because a folder with two names has one inotify watch.
fn folders_of(path: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let steps = path.ancestors().enumerate().filter(|(at, step)| *at == 0 || step.is_symlink());
    for (_, step) in steps {
        folders.extend(nearest_folder(step.parent()));
    }
    if let Ok(end) = path.canonicalize() {
        folders.extend(nearest_folder(end.parent()));
        if end.is_dir() {
            folders.insert(end);
        }
    }
    folders
}

/// The canonical name of a folder, or of its nearest ancestor that exists.
fn nearest_folder(folder: Option<&Path>) -> Option<PathBuf> {
    let named = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    folder?.ancestors().find_map(|folder| named(folder).canonicalize().ok())
}

/// Whether an event can mean a change of content. Opening a file does not: reading files here would cause endless events.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests;
