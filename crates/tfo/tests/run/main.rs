//! `tfo run` as it is run, with unchanged programs in the lab.

// Clippy knows tests by their attribute, and these have none.
#![allow(clippy::unwrap_used)]

mod clients;
mod death;
mod invisible;
mod paths;
mod programs;
mod sandboxes;
mod semantics;
mod support;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(
        [
            clients::tests(),
            semantics::tests(),
            paths::tests(),
            programs::tests(),
            invisible::tests(),
            death::tests(),
            sandboxes::tests(),
        ]
        .into_iter()
        .flatten(),
    )
}
