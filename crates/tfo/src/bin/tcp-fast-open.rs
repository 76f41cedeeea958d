//! The classic example's command line, with the answer.

use std::process::ExitCode;

use tfo::classic;

fn main() -> ExitCode {
    let arguments = classic::with_two_dashes(std::env::args_os());
    tfo::program::main(arguments, classic::Args::run)
}
