//! Where policies and keys come from, and how a new one takes the old one's place.

pub mod file;
pub mod live;

pub use live::Live;
