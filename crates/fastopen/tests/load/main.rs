//! The library under load: signals all the time, thousands of connects at once, thousands of addresses that never answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crowds;
mod signals;
mod sys;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(signals::tests().chain(crowds::tests()))
}
