//! `tfo enable` and `tfo disable` as they are run, on unchanged servers in the lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod choosing;
mod client;
mod own_keys;
mod rules;
mod servers;
mod support;
mod table;
mod watch;

use std::process::ExitCode;

use fastopen_lab::testing;

fn main() -> ExitCode {
    testing::main(
        [
            servers::tests(),
            choosing::tests(),
            own_keys::tests(),
            watch::tests(),
            rules::tests(),
            client::tests(),
            table::tests(),
        ]
        .into_iter()
        .flatten(),
    )
}
