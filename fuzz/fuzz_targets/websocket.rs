#![no_main]
//! See `sipwright_fuzz::websocket`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| sipwright_fuzz::run(
    sipwright_fuzz::websocket::check,
    data
));
