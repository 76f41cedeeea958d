//! The classic example's command line, with the answer.

use std::process::ExitCode;

fn main() -> ExitCode {
    tfo::program::main(tfo::classic::Args::run)
}
