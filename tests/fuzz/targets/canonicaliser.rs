//! Fuzz target: see `portcullis_fuzz::canonicaliser`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::canonicaliser::run(data));
