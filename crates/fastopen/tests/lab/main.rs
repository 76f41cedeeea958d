//! The library over real kernels and real paths: everything that needs a lab.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bare_calls;
mod confirmation;
mod listening;
mod machine;
mod outcomes;
mod racing;
mod readme;
mod support;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    readme::serve_if_asked();
    bare_calls::show_if_asked();
    let tests = outcomes::tests().chain(racing::tests()).chain(machine::tests());
    testing::main(
        tests
            .chain(confirmation::tests())
            .chain(listening::tests())
            .chain(readme::tests())
            .chain(bare_calls::tests()),
    )
}
