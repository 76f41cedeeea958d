//! `tfo keys`: the server's keys on one machine, across a fleet, and as the fleet's clients see them.
//!
//! ```text
//!   secret ──▶ fastopen::Rotation ──▶ kernel        `rotate`: sets what the schedule says
//!                       └───────────▶ verify        `verify`: says whose cookies follow from it
//! ```
//!
//! A file for each subcommand makes a [`report`], which [`text`] draws for people. [`secret`] reads the fleet's secret, [`kernel`] has the
//! keys of a network namespace.

mod derive;
mod generate;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod listener;
#[cfg(target_os = "linux")]
mod namespaced;
mod report;
#[cfg(target_os = "linux")]
mod rotate;
mod secret;
#[cfg(target_os = "linux")]
mod set;
#[cfg(target_os = "linux")]
mod show;
mod text;
#[cfg(target_os = "linux")]
mod verify;

#[cfg(not(target_os = "linux"))]
use std::ffi::OsString;

#[cfg(target_os = "linux")]
use anyhow::Context;
#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

#[cfg(not(target_os = "linux"))]
use crate::elsewhere;
use crate::status::Status;
use crate::{json, program, stdout};
use report::{Failed, Report, Verdict};

/// Make the server's keys, set them, rotate them across a fleet, and prove from outside that they agree
///
/// A server makes cookies with its key and accepts those of the key behind it, the backup. Servers behind one name or address must share
/// their keys, or each refuses the others' cookies. With `rotate` they follow from a secret and the time, so that machines agree without
/// talking to each other; the schedule and the keys are those of tofurkey, and both may serve in one fleet.
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true, after_long_help = AFTER)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

const AFTER: &str = "\
Examples:
  tfo keys generate --secret tfo.secret  A secret for the fleet, in a file of its owner's alone
  sudo tfo keys rotate --secret tfo.secret --watch
                                         Keep this machine's keys to the schedule
  tfo keys verify --secret tfo.secret 192.0.2.2:443 192.0.2.3:443
                                         Do these servers have the fleet's keys?
  sudo tfo keys set :443 --key-file key  Keys for the listeners on port 443 alone
  sudo tfo keys fingerprint              Compare it between machines: it reveals nothing of the key

Exit status:
  0  done; the servers agree
  1  verify: a server does not agree
  2  wrong usage, no secret, or the kernel refuses: the error says what to do
  3  verify: inconclusive";

#[derive(Debug, clap::Subcommand)]
enum Action {
    Generate(generate::Args),
    #[cfg(target_os = "linux")]
    Show(show::Show),
    #[cfg(target_os = "linux")]
    Set(set::Args),
    Derive(derive::Args),
    #[cfg(target_os = "linux")]
    Fingerprint(show::Fingerprint),
    #[cfg(target_os = "linux")]
    Rotate(rotate::Args),
    #[cfg(target_os = "linux")]
    Verify(verify::Args),
    /// What needs Linux, or does not exist.
    #[cfg(not(target_os = "linux"))]
    #[command(external_subcommand)]
    Elsewhere(Vec<OsString>),
}

/// How the answer is written.
#[derive(Clone, Debug, clap::Args)]
struct Output {
    /// Print one JSON object (described by schemas/keys.json)
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
///
/// # Errors
/// Wrong usage, no secret, no privilege, and those of the kernel.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    // Neither a core file nor another process of the user's gets to see keys and secrets.
    #[cfg(target_os = "linux")]
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("prctl(PR_SET_DUMPABLE)")?;
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
    // The service has told everything as it happened.
    let Some(report) = report else {
        return Ok(Status::Works);
    };
    let mut out = stdout::lock();
    match as_json {
        true => json::line(&mut out, &report)?,
        false => text::report(&report, &mut out)?,
    }
    // Last, because what was found is of use even where its file can't be written.
    #[cfg(target_os = "linux")]
    if let (Action::Verify(args), Report::Verified(verified)) = (&args.action, &report) {
        args.write_metrics(verified)?;
    }
    Ok(status(&report))
}

impl Args {
    fn report(&self) -> anyhow::Result<Option<Report>> {
        Ok(Some(match &self.action {
            Action::Generate(args) => Report::Generated(args.report()?),
            #[cfg(target_os = "linux")]
            Action::Show(args) => args.report()?,
            #[cfg(target_os = "linux")]
            Action::Set(args) => args.report()?,
            Action::Derive(args) => Report::Derived(args.report()?),
            #[cfg(target_os = "linux")]
            Action::Fingerprint(args) => args.report()?,
            #[cfg(target_os = "linux")]
            Action::Rotate(args) => return Ok(args.run()?.map(Report::Rotated)),
            #[cfg(target_os = "linux")]
            Action::Verify(args) => Report::Verified(args.report()?),
            #[cfg(not(target_os = "linux"))]
            Action::Elsewhere(arguments) => return Err(elsewhere::refusal(Some("keys"), arguments)),
        }))
    }

    fn as_json(&self) -> bool {
        match &self.action {
            Action::Generate(args) => args.output.json,
            #[cfg(target_os = "linux")]
            Action::Show(args) => args.output.json,
            #[cfg(target_os = "linux")]
            Action::Set(args) => args.output.json,
            Action::Derive(args) => args.output.json,
            #[cfg(target_os = "linux")]
            Action::Fingerprint(args) => args.output.json,
            #[cfg(target_os = "linux")]
            Action::Rotate(args) => args.output.json,
            #[cfg(target_os = "linux")]
            Action::Verify(args) => args.output.json,
            #[cfg(not(target_os = "linux"))]
            Action::Elsewhere(_) => false,
        }
    }
}

fn status(report: &Report) -> Status {
    match report {
        Report::Verified(verified) => match verified.verdict {
            Verdict::Agrees | Verdict::AddressTranslation | Verdict::RotatesTogether => Status::Works,
            Verdict::CantTell => Status::Inconclusive,
            _ => Status::Fails,
        },
        Report::Rotated(rotated) if !rotated.failures.is_empty() => Status::Unusable,
        _ => Status::Works,
    }
}
