//! The report as a person reads it.

use std::io::{self, Write};

use fastopen::Outcome;

use super::options;
use crate::client::{AttemptReport, Delivery, End, MEASURABLE, Report, explain, next_step};
use crate::status::Status;
use crate::style::{BAD, BOLD, DIM, ERROR, GOOD, HINT, WARNING};
use crate::units::{bytes, count, grouped, time};

/// Prints it on standard error, on a new line. An error of standard error has nowhere to go.
pub(super) fn print(report: &Report, within_a_line: bool) {
    let mut out = anstream::stderr().lock();
    let _ = match within_a_line {
        true => writeln!(out).and_then(|()| draw(report, &mut out)),
        false => draw(report, &mut out),
    };
}

fn draw(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.connections > 1 {
        write!(out, "{BOLD}{}/{}{BOLD:#} ", report.connection, report.connections)?;
    }
    if let Some(failure) = &report.failure {
        writeln!(out, "{ERROR}error:{ERROR:#} {BOLD}{}{BOLD:#}", failure.message)?;
        attempts(report, out)?;
        return hint(report, out);
    }
    let Some(outcome) = report.outcome else {
        return Ok(());
    };
    let style = match report.status() {
        Status::Works => GOOD,
        Status::Fails => BAD,
        _ => WARNING,
    };
    writeln!(out, "{style}{outcome}{style:#}: {}", explain(report, outcome))?;
    handshake(report, out)?;
    traffic(report, out)?;
    attempts(report, out)?;
    // Between two connections of one run there is nothing for the user to do.
    if report.connection < report.connections {
        return Ok(());
    }
    hint(report, out)
}

fn handshake(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if let Some(address) = report.address {
        line(out, "server", &address.to_string())?;
    }
    if report.first_bytes > 0 {
        let carried = format!(
            "{} of the {} given",
            grouped(report.syn_bytes),
            bytes(report.first_bytes)
        );
        line(out, "in the SYN", &carried)?;
    }
    if report.server_first && matches!(report.outcome, Some(Outcome::Accepted | Outcome::Unknown)) {
        line(out, "in the SYN", "the cookie, and no data")?;
    }
    cookie(report, out)?;
    let connect = report.connect.map(time).unwrap_or_default();
    let rtt = report
        .rtt
        .map(|rtt| format!(", round trip {}", time(rtt)))
        .unwrap_or_default();
    line(out, "connected", &format!("after {connect}{rtt}"))
}

/// What was granted, and in place of which cookie.
fn cookie(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(granted) = &report.cookie else {
        return Ok(());
    };
    match (&report.cookie_before, report.cookie_replaced) {
        (Some(before), Some(true)) => line(out, "granted", &format!("cookie {granted} in place of {before}")),
        (None, _) if report.outcome == Some(Outcome::NoCookie) => {
            line(out, "granted", &format!("cookie {granted}"))
        }
        _ => Ok(()),
    }
}

fn traffic(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let end = match report.end {
        Some(End::Closed) | None => "closed",
        Some(End::Reset) => "reset by the server",
        Some(End::Silent) => "the server was silent for too long",
        Some(End::Interrupted) => "interrupted",
        Some(End::Broken) => "broken",
    };
    let delivery = match report.delivery {
        Some(Delivery::CutOff) => ", cut off before the end",
        Some(Delivery::Unacknowledged) => ", not all of it acknowledged",
        Some(Delivery::Complete) | None => "",
    };
    line(out, "sent", &format!("{}{delivery}", bytes(report.sent)))?;
    let first = report
        .first_byte
        .map(|first| format!(", the first after {}{}", time(first), rounds(report)))
        .unwrap_or_default();
    line(out, "answer", &format!("{}{first}", bytes(report.received)))?;
    let elapsed = report.elapsed.map(time).unwrap_or_default();
    line(out, "ended", &format!("{end} after {elapsed}"))?;
    match report.retransmits {
        None | Some(0) => Ok(()),
        Some(segments) => line(out, "sent again", &count(segments.into(), "segment", "segments")),
    }
}

/// Where a round trip is so short that the machine's own delays weigh more, a number of them means little.
fn rounds(report: &Report) -> String {
    match (report.rtt, report.rounds) {
        (Some(rtt), Some(rounds)) if rtt >= MEASURABLE => format!(" ({rounds:.1} round trips)"),
        _ => String::new(),
    }
}

/// Only where there was more than one.
fn attempts(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.attempts.len() < 2 {
        return Ok(());
    }
    report
        .attempts
        .iter()
        .try_for_each(|attempt| line(out, "attempt", &attempt_in_words(attempt)))
}

fn attempt_in_words(attempt: &AttemptReport) -> String {
    let AttemptReport {
        address,
        syn,
        end,
        error,
        ..
    } = attempt;
    let (started, elapsed) = (time(attempt.started), time(attempt.elapsed));
    let error = error
        .as_ref()
        .map(|error| format!(" ({error})"))
        .unwrap_or_default();
    format!("{address} {syn}, started after {started}, {end} after {elapsed}{error}")
}

fn line(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {DIM}{name:<11}{DIM:#}{value}")
}

fn hint(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let hints: Vec<_> = [next_step(report), options::that_helps(report).map(Into::into)]
        .into_iter()
        .flatten()
        .collect();
    match hints.is_empty() {
        true => Ok(()),
        false => writeln!(out, "{HINT}hint:{HINT:#} {}", hints.join("; ")),
    }
}
