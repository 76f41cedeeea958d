//! Any packets of a few connections: bounded, each reported once, and never wrong when cut.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/tests/common/storm.rs"]
mod storm;

fuzz_target!(|bytes: &[u8]| storm::check(bytes));
