//! The integrations over real kernels and real paths.

mod rounds;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(rounds::tests())
}
