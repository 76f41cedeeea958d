//! `tfo probe` as it is run, in the lab.

// Clippy knows tests by their attribute, and these have none.
#![allow(clippy::unwrap_used)]

mod many;
mod paths;
mod peers;
mod servers;
mod support;
#[path = "../common/terminal.rs"]
mod terminal;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(
        [paths::tests(), peers::tests(), servers::tests(), many::tests()]
            .into_iter()
            .flatten(),
    )
}
