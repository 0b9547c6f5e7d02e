//! Tests of connection.
