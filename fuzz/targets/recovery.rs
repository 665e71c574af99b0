#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| petasos_fuzz::hub::recovery(bytes));
