//! The classic example's command line, with the answer.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use tfo::classic;

    let arguments = classic::with_two_dashes(std::env::args_os());
    tfo::program::main(arguments, classic::Args::run)
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("error: tcp-fast-open needs Linux");
    ExitCode::from(2)
}
