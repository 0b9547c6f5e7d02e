//! Fuzz target: see `portcullis_fuzz::credentials`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::credentials::run(data));
