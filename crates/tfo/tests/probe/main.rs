//! `tfo probe` as it is run, in the lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod applications;
mod farms;
mod many;
mod paths;
mod peers;
#[path = "../common/piped.rs"]
mod piped;
mod rejections;
mod servers;
mod settings;
mod support;
#[path = "../common/terminal.rs"]
mod terminal;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    let tests = [
        paths::tests(),
        settings::tests(),
        applications::tests(),
        farms::tests(),
        peers::tests(),
        rejections::tests(),
        servers::tests(),
        many::tests(),
    ];
    testing::main_with_threads(4, tests.into_iter().flatten())
}
