//! `tfo man`: the manual pages.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;

use crate::status::Status;
use crate::stdout;

/// Print tfo's manual page, or write all of them into a folder
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Where to write them all: tfo.1, tfo-serve.1, tcp-fast-open.1 and so on
    dir: Option<PathBuf>,
}

const AFTER: &str = "\
Examples:
  tfo man | man -l -
  tfo man /usr/local/share/man/man1

Exit status:
  0  done
  2  wrong usage, or the folder could not be written";

/// Prints the page of the first of these commands, or writes the pages of all.
///
/// # Errors
/// Those of standard output or of the folder.
pub fn run(args: &Args, commands: Vec<Command>) -> anyhow::Result<Status> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        if let Some(command) = commands.into_iter().next() {
            Man::new(command).render(&mut page)?;
        }
        stdout::lock().write_all(&page)?;
        return Ok(Status::Works);
    };
    for command in commands {
        std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .with_context(|| format!("writing manual pages to {}", dir.display()))?;
    }
    Ok(Status::Works)
}
