//! The library over real kernels and real paths: everything that needs a lab.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod arrivals;
mod bare_calls;
mod confirmation;
mod early_answers;
mod listening;
mod machine;
mod memory;
mod outcomes;
mod racing;
mod readme;
mod seen;
mod server_first;
mod settings;
mod support;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    readme::serve_if_asked();
    bare_calls::show_if_asked();
    let tests = outcomes::tests().chain(racing::tests()).chain(memory::tests());
    let tests = tests.chain(machine::tests()).chain(settings::tests());
    let tests = tests.chain(server_first::tests()).chain(seen::tests());
    let tests = tests.chain(early_answers::tests()).chain(confirmation::tests());
    let tests = tests.chain(arrivals::tests());
    let tests = tests.chain(listening::tests()).chain(readme::tests());
    testing::main(tests.chain(bare_calls::tests()))
}
