//! Frames for a client, however little its socket takes.

#![no_main]

#[path = "../../tests/it/promises.rs"]
#[allow(dead_code, unused_imports)]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::server_frames(bytes));
