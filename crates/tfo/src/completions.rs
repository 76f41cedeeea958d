//! `tfo completions`: scripts for shells.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
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

/// Prints it.
///
/// # Errors
/// Those of standard output.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    stdout::lock().write_all(&script(args.shell))?;
    Ok(Status::Works)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tfo", &mut script);
    script
}
