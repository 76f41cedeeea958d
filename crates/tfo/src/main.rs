//! The command `tfo`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tfo::program::main(tfo::cli::Cli::run)
}
