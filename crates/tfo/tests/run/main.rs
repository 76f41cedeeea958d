//! `tfo run` as it is run, with unchanged programs in the lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod arguments;
mod clients;
mod death;
mod faults;
mod invisible;
mod load;
mod paths;
mod programs;
mod reports;
mod sandboxes;
mod semantics;
mod sockets;
mod support;
mod table;
mod terminal;
#[path = "../common/terminal.rs"]
mod terminals;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(
        [
            arguments::tests(),
            clients::tests(),
            semantics::tests(),
            sockets::tests(),
            paths::tests(),
            programs::tests(),
            invisible::tests(),
            terminal::tests(),
            reports::tests(),
            faults::tests(),
            load::tests(),
            table::tests(),
            death::tests(),
            sandboxes::tests(),
        ]
        .into_iter()
        .flatten(),
    )
}
