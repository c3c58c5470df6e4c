#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    gradientcoin_fuzz::state_opening(bytes);
});
