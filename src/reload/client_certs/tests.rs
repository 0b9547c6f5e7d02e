//! Tests of `client_certs`.
