#![no_main]
//! See `sipwright_fuzz::uri`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(sipwright_fuzz::uri::check, data));
