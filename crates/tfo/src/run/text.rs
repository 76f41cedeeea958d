//! The report as a person reads it, and a line for each connection.

use std::io::{self, Write};
use std::time::Duration;

use fastopen::Outcome;
use fastopen_attach::supervise::{Connection, Left, Note};

use super::problem::Problem;
use super::report::{Listener, Report, Row};
use crate::style::{BOLD, DIM, ERROR, GOOD, HINT, WARNING};
use crate::{printable, units};

/// The report, and what it can't tell of yet.
pub(super) fn report(report: &Report, left: Left, out: &mut impl Write) -> io::Result<()> {
    let (pending, running) = (left.connections, left.processes);
    let connections = units::count(report.connections, "connection", "connections");
    if report.connections == 0 && pending > 0 {
        writeln!(out, "{BOLD}tfo:{BOLD:#} no connection has an outcome yet")?;
    } else if report.connections == 0 && running > 0 {
        writeln!(out, "{BOLD}tfo:{BOLD:#} no connection was made yet")?;
    } else if report.connections == 0 {
        writeln!(out, "{BOLD}tfo:{BOLD:#} no TCP connection was made")?;
    } else if report.accepted == 0 {
        writeln!(out, "{BOLD}tfo:{BOLD:#} {connections}, no round trip saved")?;
    } else {
        writeln!(
            out,
            "{BOLD}tfo:{BOLD:#} {connections}, {GOOD}{} saved{GOOD:#}: {}",
            units::count(report.round_trips_saved, "round trip", "round trips"),
            time(report.saved_ms)
        )?;
    }
    for row in &report.rows {
        writeln!(out, "{}", line(row))?;
    }
    if pending > 0 {
        let pending = units::count(pending as u64, "connection", "connections");
        writeln!(out, "  {pending} without an outcome yet")?;
    }
    if running > 0 {
        let is_file = "--report=FILE.json tells of their connections when the last has ended";
        match running {
            1 => writeln!(out, "  1 process that it started still runs; {is_file}")?,
            _ => writeln!(out, "  {running} processes that it started still run; {is_file}")?,
        }
    }
    for listener in &report.listeners {
        listening(listener, out)?;
    }
    for problem in &report.problems {
        self::problem(problem, out)?;
    }
    out.flush()
}

/// A problem, and what to do about it.
pub(super) fn problem(problem: &Problem, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    writeln!(
        out,
        "{WARNING}warning:{WARNING:#} {}",
        printable::lines(&problem.text)
    )?;
    match &problem.fix {
        Some(fix) => writeln!(out, "{HINT}hint:{HINT:#} {fix}"),
        None => Ok(()),
    }
}

/// That the report's file did not take it.
pub(super) fn not_written(path: &str, error: &io::Error, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{ERROR}error:{ERROR:#} can't write the report to {path}: {error}; here it is as text:"
    )
}

fn line(row: &Row) -> String {
    let destination = row
        .destination
        .map_or_else(|| "elsewhere".to_owned(), |destination| destination.to_string());
    let style = if row.outcome == Outcome::Accepted.name() {
        GOOD
    } else {
        DIM
    };
    // What happened to a connection that failed says more than that its outcome is not known.
    let (outcome, note) = match (row.outcome, row.note) {
        (outcome, Some(note)) if outcome == Outcome::Unknown.name() => (note, None),
        told => told,
    };
    let reason = row.reason.map_or(String::new(), |reason| format!(" ({reason})"));
    let note = note.map_or(String::new(), |note| format!(", {note}"));
    let saved = match row.saved_ms {
        0.0 => String::new(),
        saved => format!(", {} saved", time(saved)),
    };
    format!(
        "  {} {destination}: {} {style}{outcome}{style:#}{reason}{note}{saved}",
        row.program,
        units::grouped(row.connections),
    )
}

fn time(ms: f64) -> String {
    units::time(Duration::from_secs_f64(ms / 1000.0))
}

/// One connection, in one line.
pub(super) fn connection(connection: &Connection, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    let Connection {
        tid,
        program,
        destination,
        outcome,
        ..
    } = connection;
    let what = match (outcome, connection.note) {
        (Outcome::Unknown, Some(note)) => explained(note).to_owned(),
        (outcome, Some(note)) => format!("{outcome}, {}", explained(note)),
        (outcome, None) => outcome.to_string(),
    };
    let saved = connection
        .saved()
        .map_or(String::new(), |saved| format!(", {} saved", units::time(saved)));
    writeln!(
        out,
        "{BOLD}tfo:{BOLD:#} {program}[{tid}] {destination}: {what}{saved}"
    )?;
    out.flush()
}

/// That so many lines were left out, since nobody read.
pub(super) fn left_out(lines: u64, out: &mut impl Write) -> io::Result<()> {
    let lines = units::count(lines, "line", "lines");
    writeln!(
        out,
        "{BOLD}tfo:{BOLD:#} {lines} left out: standard error was full"
    )
}

pub(super) fn listening(listener: &Listener, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
    let address = listener
        .address
        .map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    writeln!(
        out,
        "{BOLD}tfo:{BOLD:#} {} listens at {address}, its Fast Open queue set to {}",
        listener.program, listener.queue
    )?;
    out.flush()
}

fn explained(note: Note) -> &'static str {
    match note {
        Note::LeftOut => "left out by the rules",
        Note::FirstContact => "the first connection to there",
        Note::FailedLately => "a recent connection to there failed",
        Note::SavesNothing => "recent connections to there saved nothing",
        Note::Oversized => "more was written at once than the SYN takes, so nothing is saved",
        Note::OtherNamespace => "the socket belongs to another network namespace",
        Note::ServerFirst => "the server speaks first there",
        Note::Released => "the program did not write at once",
        Note::OwnFastOpen => "the program uses Fast Open by itself",
        Note::Signals => "the program handles signals that could make the kernel send the data twice",
        Note::Busy => "too many connections at once",
        Note::Unguarded => "the guardian was killed",
        Note::NotPermitted => "the kernel does not give the socket away",
        Note::DescriptorLimit => "the supervisor's limit of open files is too low (ulimit -Hn)",
        Note::Refused => "refused, or the network says that it can't be reached",
        Note::Unanswered => "its first SYN got no answer, and it failed or was given up",
        Note::Failed => "connect() failed before anything was sent",
        Note::ClosedEarly => "closed before there was an outcome",
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorder::tests;
    use super::*;

    #[test]
    fn a_report_fits_on_a_screen() {
        let mut out = anstream::StripStream::new(Vec::new());
        report(&tests::report(), Left::default(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out.into_inner()).unwrap(), @r"
        tfo: 4 connections, 2 round trips saved: 120.0 ms
          curl 192.0.2.2:80: 2 accepted, 120.0 ms saved
          curl 192.0.2.2:80: 1 no-cookie, first-contact
          curl 192.0.2.2:80: 1 not-attempted (policy), left-out
        ");
    }

    #[test]
    fn a_connection_is_a_line() {
        let mut out = anstream::StripStream::new(Vec::new());
        connection(&tests::connection(Outcome::Accepted, None), &mut out).unwrap();
        let line = String::from_utf8(out.into_inner()).unwrap();
        assert_eq!(line, "tfo: curl[4711] 192.0.2.2:80: accepted, 60.0 ms saved\n");
    }
}
