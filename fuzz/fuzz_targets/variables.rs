#![no_main]
//! See `sipwright_fuzz::variables`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(
    sipwright_fuzz::variables::check,
    data
));
