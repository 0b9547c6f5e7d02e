//! Live: a value that is read without a lock and replaced whole; the one file that names arc-swap.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

/// Live: the current version of something that reloads.
#[derive(Debug)]
pub struct Live<T>(ArcSwap<T>);

impl<T> Live<T> {
    /// A live value that starts with `first`.
    pub fn new(first: T) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    /// The current version; it stays as it is for as long as the caller keeps it.
    pub fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Replaces the current version for every later [`Live::load`].
    pub fn publish(&self, next: T) {
        self.0.store(Arc::new(next));
    }
}

/// LiveOption: as [`Live`], for a value that may not be there yet.
#[derive(Debug)]
pub struct LiveOption<T>(ArcSwapOption<T>);

impl<T> LiveOption<T> {
    /// A live value that is not there yet.
    pub fn empty() -> Self {
        Self(ArcSwapOption::empty())
    }

    /// The current version; it stays as it is for as long as the caller keeps it.
    pub fn load(&self) -> Option<Arc<T>> {
        self.0.load_full()
    }

    /// Replaces the current version for every later [`LiveOption::load`].
    pub fn publish(&self, next: Arc<T>) {
        self.0.store(Some(next));
    }
}
