#![no_main]
//! See `sipwright_fuzz::mask`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(sipwright_fuzz::mask::check, data));
