//! Live: a value that is read without a lock and replaced as a whole; the only file that names arc-swap.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

/// Live: the current version of a value that can be reloaded.
#[derive(Debug)]
pub struct Live<T>(ArcSwap<T>);

impl<T> Live<T> {
    /// A live value with the first version `first`.
    pub fn new(first: T) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    /// Returns the current version, which does not change while the caller holds it.
    pub fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Replaces the current version for every later [`Live::load`].
    pub fn publish(&self, next: T) {
        self.0.store(Arc::new(next));
    }
}

/// LiveOption: a [`Live`] value that may not exist yet.
#[derive(Debug)]
pub struct LiveOption<T>(ArcSwapOption<T>);

impl<T> LiveOption<T> {
    /// A live value that does not exist yet.
    pub fn empty() -> Self {
        Self(ArcSwapOption::empty())
    }

    /// Returns the current version, which does not change while the caller holds it.
    pub fn load(&self) -> Option<Arc<T>> {
        self.0.load_full()
    }

    /// Replaces the current version for every later [`LiveOption::load`].
    pub fn publish(&self, next: Arc<T>) {
        self.0.store(Some(next));
    }
}
