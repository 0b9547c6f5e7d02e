//! Watcher: notices that files changed and says so; inotify makes it quick, looking now and then makes it sure.

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

/// How long it must be quiet after an event, so that a burst counts once.
const QUIET: Duration = Duration::from_millis(20);

/// How long a burst may go on.
const BURST: Duration = Duration::from_millis(100);

/// How soon it is looked again for a file that was being written.
const SOON: Duration = Duration::from_millis(50);

/// WatchedPath: a file or folder, and whom to tell when it may have changed.
///
/// The closure may be called without a change; it compares contents, and it runs on the watcher's thread.
pub struct WatchedPath {
    path: PathBuf,
    changed: Box<dyn Fn() + Send>,
}

impl WatchedPath {
    /// The path `path`, about which `changed` is told.
    pub fn new(path: impl Into<PathBuf>, changed: impl Fn() + Send + 'static) -> Self {
        Self { path: path.into(), changed: Box::new(changed) }
    }
}

/// Watcher: a thread that looks after paths until it is dropped.
pub struct Watcher {
    poker: ReloadTrigger,
    thread: Option<JoinHandle<()>>,
}

/// ReloadTrigger: the way to make a watcher tell everybody at once, for SIGHUP and the admin API.
#[derive(Clone)]
pub struct ReloadTrigger(Arc<WakeSignal>);

impl Watcher {
    /// Starts to watch, and to look every `poll` without being told; every closure is called once at the start, for
    /// what changed since its owner first read.
    ///
    /// # Errors
    /// The thread cannot be started. Without inotify the watcher only looks every `poll`, and logs so.
    pub fn start(watched: Vec<WatchedPath>, poll: Duration) -> io::Result<Self> {
        let (ring, rung) = sync_channel(1);
        let bell = Arc::new(WakeSignal { ring, poked: AtomicBool::new(false), stopped: AtomicBool::new(false) });
        let mut round = WatchLoop {
            bell: Arc::clone(&bell),
            rung,
            poll,
            inotify: None,
            folders: BTreeSet::new(),
            writers: Arc::default(),
            held: false,
            watched: watched.into_iter().map(|watched| (watched, None)).collect(),
        };
        let thread = std::thread::Builder::new().name("reload".into()).spawn(move || round.run())?;
        Ok(Self { poker: ReloadTrigger(bell), thread: Some(thread) })
    }

    /// A way to poke that can be handed on.
    pub fn poker(&self) -> ReloadTrigger {
        self.poker.clone()
    }

    /// Makes the watcher tell everybody, changed or not; does not wait for it.
    pub fn poke(&self) {
        self.poker.poke();
    }
}

impl ReloadTrigger {
    /// Makes the watcher tell everybody, changed or not; does not wait for it.
    pub fn poke(&self) {
        self.0.poked.store(true, Ordering::SeqCst);
        self.0.ring();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.poker.0.stopped.store(true, Ordering::SeqCst);
        self.poker.0.ring();
        if let Some(thread) = self.thread.take() {
            // It catches the panics of closures, so there is no error to pass on.
            let _ = thread.join();
        }
    }
}

struct WakeSignal {
    ring: SyncSender<()>,
    poked: AtomicBool,
    stopped: AtomicBool,
}

impl WakeSignal {
    fn ring(&self) {
        // A bell that rings already need not be rung again.
        let _ = self.ring.try_send(());
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

struct WatchLoop {
    bell: Arc<WakeSignal>,
    rung: Receiver<()>,
    poll: Duration,
    inotify: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    writers: Arc<OpenWriters>,
    /// Whether a file was passed over in the last look because it was being written.
    held: bool,
    watched: Vec<(WatchedPath, Option<FileStamp>)>,
}

impl WatchLoop {
    fn run(&mut self) {
        let (bell, writers) = (Arc::clone(&self.bell), Arc::clone(&self.writers));
        let tell = move |event: notify::Result<notify::Event>| {
            if let Ok(event) = &event {
                writers.note(event);
            }
            if event.map_or(true, |event| is_change(event.kind)) {
                bell.ring();
            }
        };
        match notify::recommended_watcher(tell) {
            Ok(inotify) => self.inotify = Some(inotify),
            Err(error) => {
                tracing::warn!(%error, poll = ?self.poll, "inotify is not to be had: changed files are found by looking only")
            }
        }
        while !self.bell.is_stopped() {
            // First listen, then look: what changes in between is heard. Not while a writer is waited for: the news that
            // it has closed its file could get lost.
            if !self.held {
                self.listen();
            }
            self.look();
            let wait = if self.held { self.poll.min(SOON) } else { self.poll };
            match self.rung.recv_timeout(wait) {
                Ok(()) => self.wait_for_quiet(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn wait_for_quiet(&self) {
        let end = Instant::now() + BURST;
        while !self.bell.is_stopped() && Instant::now() < end && self.rung.recv_timeout(QUIET).is_ok() {}
    }

    fn look(&mut self) {
        let poked = self.bell.poked.swap(false, Ordering::SeqCst);
        self.held = false;
        for (watched, seen) in &mut self.watched {
            if self.bell.is_stopped() {
                return;
            }
            // The stamp is taken before the closure reads: a change after it gives another stamp next time.
            let stamp = FileStamp::of(&watched.path);
            if !poked && seen.as_ref() == Some(&stamp) && !stamp.is_young(SystemTime::now()) {
                continue;
            }
            if self.writers.hold(&watched.path) {
                // Nothing has been seen of it: the next look asks again.
                (self.held, *seen) = (true, None);
                continue;
            }
            *seen = Some(stamp);
            if catch_unwind(AssertUnwindSafe(|| (watched.changed)())).is_err() {
                tracing::error!(path = %watched.path.display(), "a reload ended in a panic; what was live stays");
            }
        }
    }

    /// Watches are bound to folders, not to their names, so they are laid anew in every round: a folder that was
    /// deleted, renamed or is another one by now would be silent otherwise.
    fn listen(&mut self) {
        let Some(inotify) = &mut self.inotify else { return };
        for folder in std::mem::take(&mut self.folders) {
            // The watch of a folder that was deleted has gone by itself.
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

/// The folders whose entries decide what stands at `path`: those of the path, of each symlink on the way and of its
/// end, and the path itself if it is a folder. Real names only: one folder under two names has one inotify watch.
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

/// The real name of a folder, or of the nearest one above it that exists.
fn nearest_folder(folder: Option<&Path>) -> Option<PathBuf> {
    let named = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    folder?.ancestors().find_map(|folder| named(folder).canonicalize().ok())
}

/// Whether an event can mean another content. Opening does not, and reading the files here would ring without end.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests;
