//! From connections, as the supervisor sees them end, to the report.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use fastopen::Outcome;
use fastopen_attach::supervise::{Connection, Left, Note, Observer};

use super::json::ReportFile;
use super::patient::{Patient, takes_more};
use super::problem::{Kind, Problem};
use super::report::{Listener, Report, Row};
use super::text;
use crate::{printable, units};

/// How long the report waits for who does not read it.
const REPORT_WITHIN: Duration = Duration::from_secs(2);
/// How many rows are told apart; what comes on top is added up in the last.
const MOST_ROWS: usize = 10_000;

/// Where the report goes.
pub(super) enum Destination {
    Nowhere,
    StandardError,
    File(PathBuf, ReportFile),
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
    problems: Vec<Problem>,
    /// Of which standard error has been told.
    told: Vec<Kind>,
    memory: Option<PathBuf>,
    /// Standard error is not this process's any more.
    let_go: bool,
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
    /// With the problems that are known beforehand and have been told, and the file of the memory.
    pub(super) fn new(
        program: &[OsString],
        destination: Destination,
        verbose: bool,
        problems: Vec<Problem>,
        memory: Option<PathBuf>,
    ) -> Self {
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
            told: problems.iter().map(|problem| problem.problem).collect(),
            problems,
            memory,
            let_go: false,
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

    pub(super) fn report(&self, complete: bool) -> Report {
        let count = |rows: &mut dyn Iterator<Item = (&Key, &Sum)>| rows.map(|(_, sum)| sum.connections).sum();
        let accepted = |key: &Key| key.outcome == Outcome::Accepted.name();
        let saves = |key: &Key| accepted(key) && key.note != Some(Note::Oversized);
        Report {
            program: self.program.clone(),
            complete,
            connections: count(&mut self.rows.iter()),
            accepted: count(&mut self.rows.iter().filter(|(key, _)| accepted(key))),
            round_trips_saved: count(&mut self.rows.iter().filter(|(key, _)| saves(key))),
            saved_ms: units::milliseconds(self.rows.values().map(|sum| sum.saved).sum()),
            rows: self.rows.iter().map(|(key, sum)| row(key, sum)).collect(),
            listeners: self.listeners.clone(),
            problems: self.problems.clone(),
        }
    }

    fn found(&mut self, problem: Problem) {
        if self.problems.iter().any(|known| known.problem == problem.problem) {
            return;
        }
        if self.verbose && self.say(|out| text::problem(&problem, out)) {
            self.told.push(problem.problem);
        }
        self.problems.push(problem);
    }

    /// For standard error, which is told of each problem once.
    fn report_as_text(&self, complete: bool) -> Report {
        let mut report = self.report(complete);
        report
            .problems
            .retain(|known| !self.told.contains(&known.problem));
        report
    }

    /// Writes a line to standard error if that takes it at once: the program's calls wait while this process writes.
    /// Says whether it did.
    fn say(&mut self, line: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> bool {
        if !takes_more(io::stderr(), Duration::ZERO) {
            self.left_out += 1;
            return false;
        }
        let mut out = anstream::stderr().lock();
        if self.left_out > 0 {
            let _ = text::left_out(std::mem::take(&mut self.left_out), &mut out);
        }
        line(&mut out).is_ok()
    }

    /// Writes it; what a file does not take goes to standard error, so that it is not lost.
    fn write(&mut self, complete: bool, left: Left) {
        let report = self.report(complete);
        let as_text = self.report_as_text(complete);
        match &mut self.destination {
            Destination::Nowhere => {}
            Destination::StandardError if complete => {}
            Destination::StandardError => to_standard_error(|out| text::report(&as_text, left, out)),
            Destination::File(path, file) => {
                let Err(error) = file.write(&report, REPORT_WITHIN) else {
                    return;
                };
                if !self.let_go {
                    let path = printable::path(path);
                    to_standard_error(|out| {
                        text::not_written(&path, &error, out)?;
                        text::report(&as_text, left, out)
                    });
                }
            }
        }
    }
}

/// Where nobody reads it there is nobody to tell.
fn to_standard_error(write: impl FnOnce(&mut anstream::AutoStream<Vec<u8>>) -> io::Result<()>) {
    // What is known of the terminal is asked of standard error, and what is written waits for it.
    let choice = anstream::AutoStream::choice(&io::stderr());
    let mut text = anstream::AutoStream::new(Vec::new(), choice);
    if write(&mut text).is_ok() {
        let _ = Patient::new(io::stderr(), REPORT_WITHIN).write_all(&text.into_inner());
    }
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
        let mut descriptors = vec![io::stderr().as_raw_fd()];
        if let Destination::File(_, file) = &self.destination {
            descriptors.push(file.as_raw_fd());
        }
        descriptors
    }

    fn connection(&mut self, connection: &Connection) {
        self.add(connection);
        if self.verbose {
            self.say(|out| text::connection(connection, out));
        }
        if connection.note == Some(Note::DescriptorLimit) {
            self.found(Problem::of_descriptors());
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

    fn memory_not_kept(&mut self, error: &io::Error) {
        if let Some(path) = &self.memory {
            self.found(Problem::of_memory(path, error));
        }
    }

    fn program_ended(&mut self, left: Left) {
        self.write(false, left);
        if !self.verbose {
            // Who reads standard error to its end does not wait for what the program has left running.
            self.let_go = File::options()
                .write(true)
                .open("/dev/null")
                .is_ok_and(|null| rustix::stdio::dup2_stderr(null).is_ok());
        }
    }

    fn all_ended(&mut self) {
        self.write(true, Left::default());
    }

    fn last_words(&self) -> Option<String> {
        let lost = match &self.destination {
            Destination::Nowhere => "no further connection is reported".to_owned(),
            Destination::StandardError => "there will be no report".to_owned(),
            Destination::File(path, _) => {
                format!("there will be no report in {}", printable::path(path))
            }
        };
        Some(format!(
            "tfo: the supervisor was killed: new connections go without Fast Open, and {lost}\n"
        ))
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
        let mut recorder = Recorder::new(
            &["curl".into(), "-v".into()],
            Destination::Nowhere,
            false,
            Vec::new(),
            None,
        );
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
