//! A line for each moment, for a pipe or a file.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::report::Report;
use super::sampler::Sampler;
use super::snapshot::Snapshot;
use super::text;
use crate::interrupt::Interrupt;
use crate::{json, stdout};

/// How many listeners and peers one object of JSON lists.
const LISTENERS: usize = 100;
const PEERS: usize = 20;
/// How long a line that is being printed may take, when asked to stop.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn run(sampler: Sampler, period: Duration, as_json: bool) -> anyhow::Result<()> {
    let mut interrupt = Interrupt::new()?;
    let mut snapshots = sampler.every(period);
    let mut first: Option<Arc<Snapshot>> = None;
    let mut before: Option<Arc<Snapshot>> = None;
    loop {
        let snapshot = tokio::select! {
            () = interrupt.stop_requested() => break,
            snapshot = snapshots.recv() => snapshot,
        };
        let Some(now) = snapshot.transpose()? else { break };
        let report = Report::new(before.as_deref(), &now);
        let mut printing = spawn_blocking(move || print(report, as_json));
        let is_the_last = tokio::select! {
            printed = &mut printing => printed?.map(|()| false)?,
            () = interrupt.stop_requested() => match timeout(PATIENCE, printing).await {
                Ok(printed) => printed?.map(|()| true)?,
                // Standard output is closed, so there is no summary either.
                Err(_) => return Ok(()),
            },
        };
        first.get_or_insert_with(|| now.clone());
        before = Some(now);
        if is_the_last {
            break;
        }
    }
    match (first, before) {
        (Some(first), Some(last)) if !as_json => {
            text::summary(&Report::new(Some(&first), &last), &mut stdout::lock())?;
        }
        _ => {}
    }
    Ok(())
}

fn print(report: Report, as_json: bool) -> io::Result<()> {
    let mut out = stdout::lock();
    match as_json {
        true => json::line(&mut out, &report.shortened(LISTENERS, PEERS)),
        false => text::line(&report, &mut out),
    }
}
