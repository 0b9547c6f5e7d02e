//! edge

pub mod connection;
pub mod lifecycle;
pub mod listener;
pub mod tls;
pub mod upstream;
