//! The file of known servers.

#![no_main]

#[path = "../../tests/it/promises.rs"]
#[allow(dead_code, unused_imports)]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::known_servers(bytes));
