//! `tfo completions`: scripts for shells.

use std::io::Write;

use clap::Command;
use clap_complete::Shell;

use crate::status::Status;
use crate::stdout;

/// Print a script that completes tfo's commands and options in a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// The shell
    shell: Shell,
}

const AFTER: &str = "\
Examples:
  tfo completions bash > ~/.local/share/bash-completion/completions/tfo
  tfo completions zsh > ~/.zfunc/_tfo
  tfo completions fish > ~/.config/fish/completions/tfo.fish

Exit status:
  0  done
  2  wrong usage";

/// Prints it for that command.
///
/// # Errors
/// Those of standard output.
pub fn run(args: &Args, mut command: Command) -> anyhow::Result<Status> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "tfo", &mut script);
    stdout::lock().write_all(&script)?;
    Ok(Status::Works)
}
