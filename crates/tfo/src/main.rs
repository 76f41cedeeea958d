//! The command `tfo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tfo::program::main(std::env::args_os(), tfo::cli::Cli::run)
}
