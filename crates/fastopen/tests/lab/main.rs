//! The library over real kernels and real paths: everything that needs a lab.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod confirmation;
mod early_answers;
mod listening;
mod machine;
mod memory;
mod outcomes;
mod racing;
mod seen;
mod server_first;
mod settings;
mod support;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    let tests = outcomes::tests().chain(racing::tests()).chain(memory::tests());
    let tests = tests.chain(machine::tests()).chain(settings::tests());
    let tests = tests.chain(server_first::tests()).chain(seen::tests());
    let tests = tests.chain(early_answers::tests()).chain(confirmation::tests());
    testing::main(tests.chain(listening::tests()))
}
