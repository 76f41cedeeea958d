//! The report as a person reads it.

use std::io::{self, Write};

use fastopen::Outcome;

use super::report::{AttemptReport, End, Report};
use super::words::{explain, next_step};
use crate::status::Status;
use crate::style::{BAD, BOLD, DIM, ERROR, GOOD, HINT, WARNING};
use crate::units::{bytes, count, grouped, time};

/// Prints it on standard error, on a new line. When nobody reads it nobody misses it.
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
    writeln!(out, "{style}{outcome}{style:#}: {}", explain(outcome))?;
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
    if let (Some(cookie), Some(Outcome::NoCookie)) = (&report.cookie, report.outcome) {
        line(out, "granted", &format!("cookie {cookie}"))?;
    }
    let connect = report.connect.map(time).unwrap_or_default();
    let rtt = report
        .rtt
        .map(|rtt| format!(", round trip {}", time(rtt)))
        .unwrap_or_default();
    line(out, "connected", &format!("after {connect}{rtt}"))
}

fn traffic(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let end = match report.end {
        Some(End::Closed) | None => "closed",
        Some(End::Reset) => "reset by the server",
        Some(End::Silent) => "given up, for the server kept silent",
        Some(End::Interrupted) => "interrupted",
        Some(End::Broken) => "broken",
    };
    line(out, "sent", &bytes(report.sent))?;
    let first = report
        .first_byte
        .map(|first| format!(", the first after {}", time(first)))
        .unwrap_or_default();
    line(out, "answer", &format!("{}{first}", bytes(report.received)))?;
    let elapsed = report.elapsed.map(time).unwrap_or_default();
    line(out, "ended", &format!("{end} after {elapsed}"))?;
    match report.retransmits {
        None | Some(0) => Ok(()),
        Some(segments) => line(out, "sent again", &count(segments.into(), "segment", "segments")),
    }
}

/// One that connected at once is no news.
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
    next_step(report).map_or(Ok(()), |hint| writeln!(out, "{HINT}hint:{HINT:#} {hint}"))
}
