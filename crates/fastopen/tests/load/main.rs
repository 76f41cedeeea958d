//! The library under load: signals all the time, thousands of connects at once, thousands of addresses that never answer.

mod crowds;
mod signals;
mod sys;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(signals::tests().chain(crowds::tests()))
}
