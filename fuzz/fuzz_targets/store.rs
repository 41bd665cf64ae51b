//! A segment of a store.

#![no_main]

#[path = "../../tests/it/promises.rs"]
#[allow(dead_code, unused_imports)]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::store(bytes));
