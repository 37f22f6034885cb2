#![no_main]
//! See `sipwright_fuzz::transactions`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(
    sipwright_fuzz::transactions::check,
    data
));
