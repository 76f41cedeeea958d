//! `tfo trace` as it is run: over what a lab's middlebox saw, on the lab's hosts, and over files.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod agreement;
mod files;
mod live;
mod outputs;
mod packets;
#[path = "../common/piped.rs"]
mod piped;
mod support;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    let tests = agreement::tests()
        .chain(live::tests())
        .chain(outputs::tests())
        .chain(packets::tests());
    testing::main(tests.chain(files::tests()))
}
