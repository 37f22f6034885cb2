#![no_main]
//! See `sipwright_fuzz::headers`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(
    sipwright_fuzz::headers::check,
    data
));
