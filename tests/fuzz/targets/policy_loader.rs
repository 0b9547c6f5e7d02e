//! Fuzz target: see `portcullis_fuzz::policy_loader`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| portcullis_fuzz::policy_loader::run(data));
