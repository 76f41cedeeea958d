//! From connections, as the supervisor sees them end, to the report.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use fastopen::Outcome;
use fastopen_attach::supervise::{Connection, Note, Observer};

use super::report::{Listener, Report, Row};
use super::{json, text};
use crate::units;

/// How long the report waits for a standard error that takes nothing.
const REPORT_WITHIN: Duration = Duration::from_secs(2);
/// How many rows are told apart; what comes on top is added up in the last.
const MOST_ROWS: usize = 10_000;

/// Where the report goes.
pub(super) enum Destination {
    Nowhere,
    StandardError,
    File(File),
}

/// Adds up what the supervisor sees.
pub(super) struct Recorder {
    program: Vec<String>,
    destination: Destination,
    verbose: bool,
    /// Lines that standard error did not take.
    left_out: u64,
    rows: BTreeMap<Key, Sum>,
    listeners: Vec<Listener>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    program: String,
    destination: Option<SocketAddr>,
    outcome: &'static str,
    reason: Option<&'static str>,
    note: Option<Note>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    connections: u64,
    saved: Duration,
    rtt: Option<Duration>,
}

impl Recorder {
    pub(super) fn new(program: &[OsString], destination: Destination, verbose: bool) -> Self {
        Self {
            program: program
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect(),
            destination,
            verbose,
            left_out: 0,
            rows: BTreeMap::new(),
            listeners: Vec::new(),
        }
    }

    fn add(&mut self, connection: &Connection) {
        let mut key = Key {
            program: connection.program.clone(),
            destination: Some(connection.destination),
            outcome: connection.outcome.name(),
            reason: connection.outcome.reason().map(|reason| reason.name()),
            note: connection.note,
        };
        if self.rows.len() >= MOST_ROWS && !self.rows.contains_key(&key) {
            (key.program, key.destination) = ("others".to_owned(), None);
        }
        let sum = self.rows.entry(key).or_default();
        sum.connections += 1;
        sum.saved += connection.saved().unwrap_or_default();
        sum.rtt = [sum.rtt, connection.rtt].into_iter().flatten().min();
    }

    fn report(&self, complete: bool) -> Report {
        let count = |rows: &mut dyn Iterator<Item = (&Key, &Sum)>| rows.map(|(_, sum)| sum.connections).sum();
        let accepted = |key: &Key| key.outcome == Outcome::Accepted.name();
        let accepted = count(&mut self.rows.iter().filter(|(key, _)| accepted(key)));
        Report {
            program: self.program.clone(),
            complete,
            connections: count(&mut self.rows.iter()),
            accepted,
            round_trips_saved: accepted,
            saved_ms: units::milliseconds(self.rows.values().map(|sum| sum.saved).sum()),
            rows: self.rows.iter().map(|(key, sum)| row(key, sum)).collect(),
            listeners: self.listeners.clone(),
        }
    }

    /// Writes a line to standard error if that takes it at once: the program's calls wait while this process writes.
    fn say(&mut self, line: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if !takes_a_line(Duration::ZERO) {
            self.left_out += 1;
            return;
        }
        let mut out = anstream::stderr().lock();
        if self.left_out > 0 {
            let _ = text::left_out(std::mem::take(&mut self.left_out), &mut out);
        }
        let _ = line(&mut out);
    }

    /// Writes it; where nobody reads it there is nobody to tell.
    fn write(&mut self, complete: bool, pending: usize) {
        let report = self.report(complete);
        let _ = match &mut self.destination {
            Destination::Nowhere => Ok(()),
            Destination::StandardError => match complete {
                false if takes_a_line(REPORT_WITHIN) => {
                    text::report(&report, pending, &mut anstream::stderr().lock())
                }
                _ => Ok(()),
            },
            Destination::File(file) => json::write(&report, file),
        };
    }
}

/// Whether standard error takes a line within this time, whoever reads it: a full pipe and a stopped terminal do not.
fn takes_a_line(within: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let stderr = io::stderr();
    let mut waited = [PollFd::new(&stderr, PollFlags::OUT)];
    let within = rustix::event::Timespec::try_from(within).ok();
    poll(&mut waited, within.as_ref()).is_ok() && !waited[0].revents().is_empty()
}

fn row(key: &Key, sum: &Sum) -> Row {
    Row {
        program: key.program.clone(),
        destination: key.destination,
        outcome: key.outcome,
        reason: key.reason,
        note: key.note.map(Note::name),
        connections: sum.connections,
        saved_ms: units::milliseconds(sum.saved),
        rtt_ms: sum.rtt.map(units::milliseconds),
    }
}

impl Observer for Recorder {
    fn descriptors(&self) -> Vec<RawFd> {
        let mut descriptors = Vec::new();
        if self.verbose || matches!(self.destination, Destination::StandardError) {
            descriptors.push(io::stderr().as_raw_fd());
        }
        if let Destination::File(file) = &self.destination {
            descriptors.push(file.as_raw_fd());
        }
        descriptors
    }

    fn connection(&mut self, connection: &Connection) {
        self.add(connection);
        if self.verbose {
            self.say(|out| text::connection(connection, out));
        }
    }

    fn listening(&mut self, program: &str, address: Option<SocketAddr>, queue: u32) {
        let listener = Listener {
            program: program.to_owned(),
            address,
            queue,
        };
        if self.verbose {
            self.say(|out| text::listening(&listener, out));
        }
        if self.listeners.len() < MOST_ROWS {
            self.listeners.push(listener);
        }
    }

    fn program_ended(&mut self, pending: usize) {
        self.write(false, pending);
    }

    fn all_ended(&mut self) {
        self.write(true, 0);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use fastopen::Reason;

    use super::*;

    pub(in super::super) fn connection(outcome: Outcome, note: Option<Note>) -> Connection {
        Connection {
            tid: 4711,
            program: "curl".to_owned(),
            destination: "192.0.2.2:80".parse().unwrap(),
            outcome,
            note,
            rtt: Some(Duration::from_millis(60)),
        }
    }

    pub(in super::super) fn recorder() -> Recorder {
        let mut recorder = Recorder::new(&["curl".into(), "-v".into()], Destination::Nowhere, false);
        recorder.add(&connection(Outcome::NoCookie, Some(Note::FirstContact)));
        recorder.add(&connection(Outcome::Accepted, None));
        recorder.add(&connection(Outcome::Accepted, None));
        recorder.add(&connection(
            Outcome::NotAttempted(Reason::Policy),
            Some(Note::LeftOut),
        ));
        recorder
    }

    pub(in super::super) fn report() -> Report {
        recorder().report(true)
    }

    #[test]
    fn like_connections_are_added_up() {
        let report = report();
        assert_eq!(
            (report.connections, report.accepted, report.rows.len()),
            (4, 2, 3)
        );
        assert_eq!(report.saved_ms, 120.0);
    }

    #[test]
    fn rows_are_bounded() {
        let mut recorder = recorder();
        for port in 0..u16::MAX {
            let destination = SocketAddr::from(([192, 0, 2, 3], port));
            recorder.add(&Connection {
                destination,
                ..connection(Outcome::Accepted, None)
            });
        }
        let report = recorder.report(true);
        assert_eq!(report.connections, 4 + u64::from(u16::MAX));
        assert!(report.rows.len() <= MOST_ROWS + 1);
    }

    #[test]
    fn it_can_be_written_as_json() {
        let mut text = Vec::new();
        serde_json::to_writer(&mut text, &report()).unwrap();
        let schema = serde_json::from_str(include_str!("../../schemas/run.json")).unwrap();
        jsonschema::validate(&schema, &serde_json::from_slice(&text).unwrap()).unwrap();
    }
}
