//! Connections from clients: listeners, TLS, deadlines, and the limits of HTTP/2.

pub mod connection;
pub mod listener;
pub mod tls;
