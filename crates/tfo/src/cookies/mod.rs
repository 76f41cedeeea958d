//! `tfo cookies`: what the kernel has cached for whom, and cookies computed without it.
//!
//! [`cache`] asks the kernel and makes it forget; [`offline`] computes. Both make a [`report`], which [`text`] draws for people.

mod cache;
mod offline;
mod output;
mod report;
mod text;

use std::net::IpAddr;

use crate::status::Status;
use crate::{json, stdout};
use output::Output;
use report::{Deleted, Match, Report};

/// Show the cookies that other hosts granted, forget them, or compute one
///
/// A client presents the cookie of an earlier connection to send data in its SYN. The kernel keeps one per destination, with the
/// segment size that goes with it and the fast SYNs that were lost, in each network namespace. mint and check need no kernel: they
/// compute what a server with a given key grants and takes.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true, after_long_help = AFTER)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Show cookies whole; whoever has one can send data in a SYN in this machine's name
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
                                         Would the server take this cookie?

Exit status:
  0  shown, forgotten or computed; the cookie is valid
  1  delete: there was nothing to forget; check: the cookie is not valid
  2  wrong usage, no key, or the kernel refuses: the error says what to do";

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the kernel forget one destination; takes root of the whole machine
    ///
    /// The kernel keeps its round-trip times and other measurements of the destination in the same place, and forgets them too.
    #[command(after_long_help = AFTER_DELETE)]
    Delete {
        /// The other host's IP address
        address: IpAddr,
        #[command(flatten)]
        output: Output,
    },
    /// Make the kernel forget every destination of this network namespace; takes root of the whole machine
    ///
    /// The kernel keeps its round-trip times and other measurements in the same place, and forgets them too.
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
    let (report, output) = match &args.action {
        None => (Report::Cookies(cache::list(args.full)?), &args.output),
        Some(Action::Delete { address, output }) => (Report::Deleted(cache::delete(*address)?), output),
        Some(Action::Flush { output }) => (cache::flush()?, output),
        Some(Action::Mint(mint)) => (Report::Minted(mint.report()?), &mint.output),
        Some(Action::Check(check)) => (Report::Checked(check.report()?), &check.output),
    };
    let mut out = stdout::lock();
    if output.json {
        json::line(&mut out, &report)?;
    } else {
        text::report(&report, &mut out)?;
    }
    Ok(status(&report))
}

fn status(report: &Report) -> Status {
    match report {
        Report::Deleted(Deleted { found: false, .. }) => Status::Fails,
        Report::Checked(checked) if checked.matches == Match::None => Status::Fails,
        _ => Status::Works,
    }
}
