//! The one-shot answer of a server, or of a host that pretends to be one.

#![no_main]

#[path = "../../tests/it/promises.rs"]
#[allow(dead_code, unused_imports)]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::dns(bytes));
