//! Tests of listener.
