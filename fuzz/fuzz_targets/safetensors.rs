#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(readers::fuzz(readers::safetensors, bytes)));
