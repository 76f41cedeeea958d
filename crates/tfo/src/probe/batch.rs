//! Many targets, some at a time; each report is printed as it comes.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::evidence::Machine;
use super::report::{Report, worst};
use super::session::Prober;
use super::{Args, targets, text};
use crate::interrupt::Interrupt;
use crate::status::Status;
use crate::target_lines::Given;
use crate::timed::{Client, FirstBytes, Target};
use crate::{json, stdout, width};

/// What every target's probing needs.
struct Batch {
    prober: Prober,
    first_bytes: FirstBytes,
}

pub(super) async fn run(args: &Args, first_bytes: FirstBytes) -> anyhow::Result<Status> {
    let one = args.targets.len() == 1 && args.targets[0] != "-";
    let batch = Arc::new(Batch {
        prober: Prober {
            client: Client::new(args.timeout),
            patience: args.timeout,
            wanted: args.number.into(),
            machine: Machine::examine(),
            alone: one || args.parallel == 1,
        },
        first_bytes,
    });
    let mut printer = Printer::new(args.json, one);
    let mut interrupt = Interrupt::new()?;
    let mut targets = targets::read(args.targets.clone())?;
    let (stop, stopped) = watch::channel(false);
    let (mut probing, mut more) = (JoinSet::new(), true);
    let mut status = None;
    while more || !probing.is_empty() {
        tokio::select! {
            target = targets.recv(), if more && probing.len() < args.parallel => match target {
                Some(target) => {
                    let target = target.context("reading targets from standard input")?;
                    probing.spawn(Arc::clone(&batch).probe(target, stopped.clone()));
                }
                None => more = false,
            },
            Some(report) = probing.join_next() => {
                let report = report.context("probing")?;
                status = worst(status.into_iter().chain([report.status()]));
                printer.print(&report)?;
            }
            () = interrupt.stop_requested() => {
                more = false;
                // Those under way end with what they know; asked once more, they are given up.
                if stop.send_replace(true) {
                    probing.abort_all();
                    break;
                }
            }
        }
    }
    let interrupted = *stop.borrow();
    printer.finish(interrupted);
    if status.is_none() && !interrupted {
        bail!("there is no target");
    }
    Ok(match (status, interrupted) {
        (None, _) | (Some(Status::Works), true) => Status::Inconclusive,
        (Some(status), _) => status,
    })
}

impl Batch {
    async fn probe(self: Arc<Self>, given: Given, stop: watch::Receiver<bool>) -> Report {
        let text = match given {
            Given::Target(text) => text,
            Given::Unusable(beginning, why) => return Report::failed(&beginning, None, why.to_owned()),
        };
        let target: Target = match text.parse() {
            Ok(target) => target,
            Err(error) => return Report::failed(&text, None, error.to_string()),
        };
        let failed = |error: String| Report::failed(&text, Some(target.service), error);
        let first_bytes = match self.first_bytes.bytes(&target) {
            Ok(bytes) => bytes,
            Err(error) => return failed(error.to_string()),
        };
        let mut stopped = stop.clone();
        let resolved = tokio::select! {
            resolved = target.resolve() => resolved,
            _ = stopped.wait_for(|stop| *stop) => return Report::interrupted(&target),
        };
        let addresses = match resolved {
            Ok(addresses) if !addresses.is_empty() => addresses,
            Ok(_) => return failed("the name has no address".to_owned()),
            Err(error) => return failed(format!("the name could not be resolved: {error}")),
        };
        let mut sessions = Vec::new();
        for address in addresses {
            sessions.push(self.prober.probe(address, &first_bytes, stop.clone()).await);
        }
        Report::new(
            &target,
            self.first_bytes.name(&target),
            first_bytes.len(),
            self.first_bytes.fit_service(),
            &sessions,
        )
    }
}

/// Prints reports, below them the progress where somebody watches.
struct Printer {
    as_json: bool,
    in_full: bool,
    progress: ProgressBar,
}

impl Printer {
    fn new(as_json: bool, in_full: bool) -> Self {
        let progress = match std::io::stderr().is_terminal() {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        // The template is a constant, and stands.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} probed, {elapsed}") {
            progress.set_style(style);
        }
        progress.enable_steady_tick(std::time::Duration::from_millis(200));
        Self {
            as_json,
            in_full,
            progress,
        }
    }

    fn print(&mut self, report: &Report) -> std::io::Result<()> {
        self.progress.inc(1);
        self.progress.suspend(|| {
            let mut out = stdout::lock();
            match (self.as_json, self.in_full) {
                (true, _) => json::line(&mut out, report),
                (_, true) => text::full(&mut out, report, width::of_stdout()),
                (_, false) => text::line(&mut out, report, width::of_terminal()),
            }
        })
    }

    fn finish(&self, interrupted: bool) {
        let probed = self.progress.position();
        self.progress.finish_and_clear();
        if !self.in_full && interrupted {
            anstream::eprintln!("interrupted: {probed} probed");
        }
    }
}
