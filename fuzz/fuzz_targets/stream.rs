#![no_main]
//! See `sipwright_fuzz::stream`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(sipwright_fuzz::stream::check, data));
