//! TLS early data: what may travel early, and that nobody honest pays for it.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod client;
mod foreign;
mod honest;
mod limits;
mod server;
mod storm;
mod syn;
mod table;
mod too_early;
mod turned_away;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    testing::main(
        honest::tests()
            .chain(turned_away::tests())
            .chain(too_early::tests())
            .chain(table::tests())
            .chain(limits::tests())
            .chain(storm::tests()),
    )
}
