//! An evening in the room, of which the bytes decide every step, next to a model.

#![no_main]

#[path = "../../tests/it/evening.rs"]
#[allow(dead_code, unused_imports)]
mod evening;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| evening::play(bytes));
