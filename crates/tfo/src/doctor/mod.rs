//! `tfo doctor`: is this machine ready for Fast Open, and what would fix it?
//!
//! [`Facts`] are gathered from the kernel in one place; [`findings`] judges them, without looking at anything else;
//! [`report`] puts both together; [`render`] draws the report for people; [`apply`] is `--fix`.

mod apply;
mod facts;
mod finding;
mod findings;
mod place;
mod programs;
mod render;
mod report;

#[cfg(test)]
mod sample;

use anyhow::Context;

use crate::hint::Hint;
use crate::status::Status;
use crate::{json, stdout, width};
use facts::Facts;
use report::Report;

/// Say whether this machine is ready for Fast Open, and what to change
///
/// Looks at the kernel's settings, the listeners, the counters and the cookies that it holds, all of this network namespace. Each
/// finding is ok, a note, a warning or a problem, with the command that fixes it. Nothing is changed without --fix, keys are never
/// shown, and no packet is sent.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Change the settings that are at fault, after printing them; needs root
    #[arg(long)]
    fix: bool,
    /// Print one JSON object (described by schemas/doctor.json)
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  tfo doctor                             Is this machine ready
  sudo tfo doctor                        As root: which programs listen, and whether a key is set
  sudo tfo doctor --fix                  Fix the settings, until the next boot
  tfo doctor --json | jq '.findings[] | select(.level == \"problem\")'

Exit status:
  0  there is no problem
  1  there is a problem
  2  wrong usage, no privilege for --fix, or a system that can't be examined";

/// Examines this machine, and changes its settings if asked to.
///
/// # Errors
/// On a system that isn't Linux or has no `/proc`, and those of standard output.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    json::failure_too(args.json, examine_and_fix(args))
}

fn examine_and_fix(args: &Args) -> anyhow::Result<Status> {
    let mut report = examine()?;
    let mut permitted = true;
    if args.fix {
        let plan = apply::plan(&report.findings);
        match apply::apply(&plan, report.place, &mut anstream::stderr())? {
            apply::Outcome::Applied(fixes) => {
                report = examine()?;
                report.fixes = fixes;
            }
            apply::Outcome::NotPermitted => permitted = false,
        }
    }
    let mut out = stdout::lock();
    match (args.json, permitted) {
        (true, _) => json::line(&mut out, &report)?,
        (false, true) => render::text(&report, width::of_stdout(), &mut out)?,
        // What is wrong has just been printed, with what to do.
        (false, false) => {}
    }
    Ok(match (permitted, report.ready) {
        (false, _) => Status::Unusable,
        (true, true) => Status::Works,
        (true, false) => Status::Fails,
    })
}

fn examine() -> anyhow::Result<Report> {
    let facts = Facts::gather()
        .context("this system can't be examined")
        .hint("run it on the Linux machine, or in the container, that is to use Fast Open")?;
    let findings = findings::of(&facts);
    Ok(Report::new(&facts, findings))
}
