//! Where policies and keys come from, and how a new one takes the old one's place.

pub mod live;
pub mod keys;
pub mod verified;

pub use live::Live;
