//! `tfo cookies`: the kernel's cookie cache, and cookies computed without the kernel.
//!
//! [`cache`] lists and deletes the kernel's entries; [`offline`] computes. Both make a [`report`], which [`text`] draws for people.

mod cache;
mod offline;
mod output;
mod report;
mod text;

use std::net::IpAddr;

use crate::status::Status;
use crate::{json, program, stdout};
use output::Output;
use report::{Deleted, Failed, Match, Report};

/// Show the cookies that other hosts granted, forget them, or compute one
///
/// A client presents the cookie of an earlier connection to send data in its SYN. Each network namespace stores one cookie per
/// destination, with the server's segment size and the number of fast SYNs that were lost.
///
/// mint and check do not ask the kernel: they compute which cookie a server with a given key grants, and which it accepts.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true, after_long_help = AFTER)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Show whole cookies; with one of them, others can send data in a SYN that seems to come from this machine
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    output: Output,
}

const AFTER: &str = "\
Examples:
  tfo cookies                            What the kernel has, cookies shortened
  tfo cookies --full --json              Everything, for a program
  sudo tfo cookies delete 192.0.2.2      Forget one server
  sudo tfo cookies flush                 Forget all of them
  tfo cookies mint --key-file key 192.0.2.1 192.0.2.2
                                         What the server would grant that client
  pass tfo/key | tfo cookies check --key-file - 192.0.2.1 192.0.2.2 3021b9d889017eeb
                                         Would the server accept this cookie?

Exit status:
  0  shown, forgotten or computed; the cookie is valid
  1  delete: there was nothing to forget; check: the cookie is not valid
  2  wrong usage, no key, or the kernel refuses: the error says what to do";

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the kernel forget one destination; needs root, outside of user namespaces
    ///
    /// The kernel stores round-trip times and other measurements of the destination in the same entry, and forgets them too.
    #[command(after_long_help = AFTER_DELETE)]
    Delete {
        /// The other host's IP address
        #[arg(value_parser = crate::values::ip)]
        address: IpAddr,
        #[command(flatten)]
        output: Output,
    },
    /// Make the kernel forget every destination of this network namespace; needs root, outside of user namespaces
    ///
    /// The kernel stores round-trip times and other measurements in the same entries, and forgets them too.
    #[command(after_long_help = AFTER_FLUSH)]
    Flush {
        #[command(flatten)]
        output: Output,
    },
    Mint(offline::Mint),
    Check(offline::Check),
}

const AFTER_DELETE: &str = "\
Examples:
  sudo tfo cookies delete 192.0.2.2
  sudo nsenter --net -t 4711 tfo cookies delete 2001:db8::2
                                         In the network namespace of process 4711

Exit status:
  0  forgotten
  1  there was nothing to forget
  2  wrong usage, or the kernel refuses";

const AFTER_FLUSH: &str = "\
Examples:
  sudo tfo cookies flush
  sudo nsenter --net -t 4711 tfo cookies flush
                                         In the network namespace of process 4711

Exit status:
  0  forgotten
  2  wrong usage, or the kernel refuses";

/// Does what was asked for.
///
/// # Errors
/// The kernel refuses or lacks the cache, there is no key, the addresses don't go together, and those of standard output.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let as_json = args.as_json();
    let report = match args.report() {
        Ok(report) => report,
        Err(error) => {
            if as_json {
                let error = program::message(&error);
                json::line(&mut stdout::lock(), &Report::Failed(Failed { error }))?;
            }
            return Err(error);
        }
    };
    let mut out = stdout::lock();
    match as_json {
        true => json::line(&mut out, &report)?,
        false => text::report(&report, &mut out)?,
    }
    Ok(status(&report))
}

impl Args {
    fn report(&self) -> anyhow::Result<Report> {
        Ok(match &self.action {
            None => Report::Cookies(cache::list(self.full)?),
            Some(Action::Delete { address, .. }) => Report::Deleted(cache::delete(*address)?),
            Some(Action::Flush { .. }) => cache::flush()?,
            Some(Action::Mint(mint)) => Report::Minted(mint.report()?),
            Some(Action::Check(check)) => Report::Checked(check.report()?),
        })
    }

    fn as_json(&self) -> bool {
        match &self.action {
            None => self.output.json,
            Some(Action::Delete { output, .. } | Action::Flush { output }) => output.json,
            Some(Action::Mint(mint)) => mint.output.json,
            Some(Action::Check(check)) => check.output.json,
        }
    }
}

fn status(report: &Report) -> Status {
    match report {
        Report::Deleted(Deleted { found: false, .. }) => Status::Fails,
        Report::Checked(checked) if checked.matches == Match::None => Status::Fails,
        _ => Status::Works,
    }
}
