//! The stream that connects when it is first written to, over real kernels and real paths.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod dying;
mod failing;
mod giving_up;
#[path = "../common/in_host.rs"]
mod in_host;
mod sharing;
mod support;
mod writing;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    let tests = writing::tests().chain(giving_up::tests());
    testing::main(
        tests
            .chain(sharing::tests())
            .chain(failing::tests())
            .chain(dying::tests()),
    )
}
