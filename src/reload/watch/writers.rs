//! OpenWriters: files that somebody has written to and still holds open, whose content may be a half.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

/// How long a writer may pause before what stands there is taken for the whole.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a writer who does not pause is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// OpenWriters: the first and the last write to each file that has not been closed since.
#[derive(Default)]
pub(super) struct OpenWriters(Mutex<HashMap<PathBuf, (Instant, Instant)>>);

impl OpenWriters {
    /// Takes notice of an event.
    pub(super) fn note(&self, event: &Event) {
        self.note_at(event, Instant::now());
    }

    fn note_at(&self, event: &Event, now: Instant) {
        let mut all = self.all();
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

    /// Whether somebody is writing the file `path`, or a YAML file in it where it is a folder.
    pub(super) fn hold(&self, path: &Path) -> bool {
        self.hold_at(path, Instant::now())
    }

    fn hold_at(&self, path: &Path, now: Instant) -> bool {
        let mut all = self.all();
        all.retain(|_, (_, last)| now.saturating_duration_since(*last) < PAUSE);
        if all.is_empty() {
            return false;
        }
        let Ok(real) = path.canonicalize() else { return false };
        all.iter().any(|(written, (first, _))| {
            // A log in the same folder is written for ever.
            let yaml = written.extension().is_some_and(|end| end == "yaml" || end == "yml");
            let is_part = *written == real || (yaml && written.parent() == Some(&real));
            is_part && now.saturating_duration_since(*first) < PATIENCE
        })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<PathBuf, (Instant, Instant)>> {
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
        writers.note_at(&written, begin);
        assert!(writers.hold_at(&path, after(9)) && writers.hold_at(&real, after(9)));
        assert!(!writers.hold_at(&real.join("other.yaml"), after(9)));
        assert!(!writers.hold_at(&path, after(10)));
        writers.note_at(&written, after(20));
        writers.note_at(&closed, after(21));
        assert!(!writers.hold_at(&path, after(21)));
        for tenths in 0..=50 {
            writers.note_at(&written, after(100 + tenths));
            assert_eq!(writers.hold_at(&path, after(100 + tenths)), tenths < 50, "{tenths}");
        }
    }
}
