//! The library over real kernels and real paths: everything that needs a lab.

mod confirmation;
mod outcomes;
mod racing;
mod support;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(
        outcomes::tests()
            .chain(confirmation::tests())
            .chain(racing::tests()),
    )
}
