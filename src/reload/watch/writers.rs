//! OpenWriters: files that a program has written to and has not closed, so that their content may be incomplete.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

/// How long a writer may pause before the content counts as complete.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait for a writer that does not pause.
const PATIENCE: Duration = Duration::from_secs(5);

/// OpenWriters: the times of the first and the last write to each file that has not been closed since.
#[derive(Default)]
pub(super) struct OpenWriters(Mutex<HashMap<PathBuf, (Instant, Instant)>>);

impl OpenWriters {
    /// Records an event of the file system.
    pub(super) fn record_event(&self, event: &Event) {
        self.record_event_at(event, Instant::now());
    }

    fn record_event_at(&self, event: &Event, now: Instant) {
        let mut all = self.lock();
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                for path in &event.paths {
                    all.entry(path.clone()).or_insert((now, now)).1 = now;
                }
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Create(_)
            | EventKind::Remove(_) => {
                for path in &event.paths {
                    all.remove(path);
                }
            }
            _ => {}
        }
    }

    /// Whether a program is writing the file `path`, or a YAML file in the folder `path`.
    pub(super) fn is_being_written(&self, path: &Path) -> bool {
        self.is_being_written_at(path, Instant::now())
    }

    fn is_being_written_at(&self, path: &Path, now: Instant) -> bool {
        let mut all = self.lock();
        all.retain(|_, (_, last)| now.saturating_duration_since(*last) < PAUSE);
        if all.is_empty() {
            return false;
        }
        let Ok(real) = path.canonicalize() else { return false };
        all.iter().any(|(written, (first, _))| {
            // Other files are ignored, because a log in the same folder is written continuously.
            let yaml = written.extension().is_some_and(|end| end == "yaml" || end == "yml");
            let is_part = *written == real || (yaml && written.parent() == Some(&real));
            is_part && now.saturating_duration_since(*first) < PATIENCE
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (Instant, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use notify::event::DataChange;

    use super::*;

    #[test]
    fn a_writer_holds_until_it_closes_or_pauses_or_goes_on_for_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let path = real.join("p.yaml");
        std::fs::write(&path, "").unwrap();
        let event = |kind| Event::new(kind).add_path(path.clone());
        let written = event(EventKind::Modify(ModifyKind::Data(DataChange::Any)));
        let closed = event(EventKind::Access(AccessKind::Close(AccessMode::Write)));
        let (writers, begin) = (OpenWriters::default(), Instant::now());
        let after = |tenths: u32| begin + Duration::from_millis(100) * tenths;
        writers.record_event_at(&written, begin);
        assert!(writers.is_being_written_at(&path, after(9)) && writers.is_being_written_at(&real, after(9)));
        assert!(!writers.is_being_written_at(&real.join("other.yaml"), after(9)));
        assert!(!writers.is_being_written_at(&path, after(10)));
        writers.record_event_at(&written, after(20));
        writers.record_event_at(&closed, after(21));
        assert!(!writers.is_being_written_at(&path, after(21)));
        for tenths in 0..=50 {
            writers.record_event_at(&written, after(100 + tenths));
            assert_eq!(writers.is_being_written_at(&path, after(100 + tenths)), tenths < 50, "{tenths}");
        }
    }
}
