//! Where policies and keys come from, and how a new one takes the old one's place.

pub mod changes;
pub mod file;
pub mod keys;
pub mod live;
pub mod policy;
pub mod verified;
pub mod watch;

pub use live::Live;
pub use policy::{Event, PolicyStore};
