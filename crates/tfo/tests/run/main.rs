//! `tfo run` as it is run, with unchanged programs in the lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod addresses;
mod arguments;
mod clients;
mod death;
mod faults;
mod front;
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
mod witnesses;
mod yama;

use std::process::ExitCode;

use fastopen_lab::testing::{self, LabTest};

fn main() -> ExitCode {
    testing::main(beside().chain(above()))
}

fn beside() -> impl Iterator<Item = LabTest> {
    [
        addresses::tests(),
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
        yama::tests(),
    ]
    .into_iter()
    .flatten()
}

/// With the supervisor above the program, as under Yama: the processes stand otherwise, and the rest is the same.
fn above() -> impl Iterator<Item = LabTest> {
    [
        addresses::tests(),
        clients::tests(),
        semantics::tests(),
        invisible::tests(),
        terminal::tests(),
        reports::tests(),
        faults::tests(),
        death::tests(),
        sandboxes::tests(),
        front::tests(),
        witnesses::tests(),
    ]
    .into_iter()
    .flatten()
    .map(|test| test.after("above", support::place_above))
}
