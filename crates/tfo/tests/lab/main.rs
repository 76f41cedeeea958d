//! The commands as they are run, on hosts of a lab: real kernels, and real paths between them.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod classic;
mod cookie;
mod delivery;
mod first_steps;
mod manual_pages;
#[path = "../common/piped.rs"]
mod piped;
mod programs;
mod send;
mod serve;
mod server_first;
mod stop;
mod strain;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    let tests = serve::tests()
        .into_iter()
        .chain(stop::tests())
        .chain(strain::tests());
    let tests = tests.chain(manual_pages::tests());
    let tests = tests.chain(first_steps::tests()).chain(send::tests());
    let tests = tests.chain(server_first::tests());
    let tests = tests.chain(delivery::tests()).chain(cookie::tests());
    testing::main(tests.chain(classic::tests()))
}
