//! A moment in a line, and the whole time in a summary.

use std::io::{self, Write};
use std::time::Duration;

use super::report::{CounterRow, Report};
use super::tally::{Incoming, Outgoing};
use crate::style::{BOLD, DIM};
use crate::units::count;

/// The connections there are, and the counters that rose since the line before; in the first line what they are.
pub(super) fn line(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let time = humantime::format_rfc3339_seconds(report.time);
    write!(
        out,
        "{DIM}{time}{DIM:#}  outgoing {}  incoming {}",
        outgoing(&report.outgoing),
        incoming(&report.incoming)
    )?;
    for row in &report.counters {
        match row.rise {
            None if row.value > 0 => write!(out, "  {} {}", row.counter.name(), row.value)?,
            Some(rise @ 1..) => write!(out, "  {BOLD}{} +{rise}{BOLD:#}", row.counter.name())?,
            _ => {}
        }
    }
    writeln!(out)?;
    out.flush()
}

/// Such as `3 (2 accepted, 1 no-cookie)`.
pub(super) fn outgoing(outgoing: &Outgoing) -> String {
    let Outgoing {
        accepted,
        no_cookie,
        ignored,
        syn_lost,
        unknown,
        connecting,
    } = *outgoing;
    listed(
        outgoing.total(),
        &[
            (accepted, "accepted"),
            (no_cookie, "no-cookie"),
            (ignored, "ignored"),
            (syn_lost, "syn-lost"),
            (unknown, "unknown"),
            (connecting, "connecting"),
        ],
    )
}

/// Such as `5 (3 fast, 1 of them unconfirmed, 2 plain)`.
pub(super) fn incoming(incoming: &Incoming) -> String {
    let Incoming {
        fast,
        unconfirmed,
        plain,
        half_open,
    } = *incoming;
    listed(
        incoming.total(),
        &[
            (fast, "fast"),
            (unconfirmed, "of them unconfirmed"),
            (plain, "plain"),
            (half_open, "half-open"),
        ],
    )
}

fn listed(total: u64, parts: &[(u64, &str)]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    match parts.is_empty() {
        true => total.to_string(),
        false => format!("{total} ({})", parts.join(", ")),
    }
}

/// What rose while it watched; the report is of the last moment, compared with the first.
pub(super) fn summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let watched = Duration::from_secs(report.elapsed.unwrap_or_default().as_secs_f64().round() as u64);
    write!(out, "{BOLD}In {}", humantime::format_duration(watched))?;
    let risen: Vec<(&CounterRow, u64)> = report
        .counters
        .iter()
        .filter_map(|row| Some((row, row.rise.filter(|&rise| rise > 0)?)))
        .collect();
    match risen.len() as u64 {
        0 => return writeln!(out, " no counter rose.{BOLD:#}"),
        rows => writeln!(out, " {} rose:{BOLD:#}", count(rows, "counter", "counters"))?,
    }
    for (row, rise) in risen {
        writeln!(
            out,
            "  {:<26} {rise:>+10}  {DIM}{}{DIM:#}",
            row.counter.name(),
            row.counter.meaning()
        )?;
    }
    Ok(())
}
