#![no_main]
//! See `sipwright_fuzz::message`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(
    sipwright_fuzz::message::check,
    data
));
