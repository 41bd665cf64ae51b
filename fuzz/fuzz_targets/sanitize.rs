//! Text that must never reach a terminal as it is.

#![no_main]

#[path = "../../tests/it/promises.rs"]
#[allow(dead_code, unused_imports)]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::sanitize(bytes));
