//! The library over real kernels and real paths: everything that needs a lab.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod confirmation;
mod listening;
mod machine;
mod memory;
mod outcomes;
mod racing;
mod support;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    let tests = outcomes::tests()
        .chain(racing::tests())
        .chain(memory::tests())
        .chain(machine::tests());
    testing::main(tests.chain(confirmation::tests()).chain(listening::tests()))
}
