//! The integrations over real kernels and real paths, and with programs that know nothing of each other.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod crowds;
mod exactly_once;
mod failing;
mod foreign;
mod hello;
mod readme;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    if readme::is_wanted() {
        return readme::main();
    }
    // An ordinary user has a limit of 1024 unless it is raised, and a crowd needs more.
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let tests = exactly_once::tests().chain(crowds::tests());
    testing::main(
        tests
            .chain(failing::tests())
            .chain(hello::tests())
            .chain(foreign::tests())
            .chain(readme::tests()),
    )
}
