//! Slots: a lock-free table of bounded size, for counts by names that come from requests.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots: entries that are created once and never removed; keys that find the table full are only counted.
pub(super) struct Slots<T> {
    slots: Box<[OnceLock<(u64, T)>]>,
    hasher: RandomState,
    left_out: AtomicU64,
}

impl<T> Slots<T> {
    /// A table for at most `most` entries.
    pub(super) fn new(most: usize) -> Self {
        let slots = std::iter::repeat_with(OnceLock::new).take(most).collect();
        Self { slots, hasher: RandomState::new(), left_out: AtomicU64::new(0) }
    }

    /// The entry with this key, which `is` recognizes; creates it if there is none, unless the table is full.
    pub(super) fn get_or_insert(&self, key: impl Hash, is: impl Fn(&T) -> bool, make: impl Fn() -> T) -> Option<&T> {
        let hash = self.hasher.hash_one(key);
        let start = usize::try_from(hash).unwrap_or(0).checked_rem(self.slots.len())?;
        let (before, from) = self.slots.split_at_checked(start)?;
        // The search for a key always starts at the same slot, so that a key never gets two entries.
        for slot in from.iter().chain(before) {
            let (known, entry) = slot.get_or_init(|| (hash, make()));
            if *known == hash && is(entry) {
                return Some(entry);
            }
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// The entries, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.get().map(|(_, entry)| entry))
    }

    /// How often the table was full.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
