//! What a connection came to.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use fastopen::{Attempt, AttemptEnd, ConnectError, Outcome, Reason, Syn};
use serde::{Serialize, Serializer};

use super::failure::Failure;
use crate::status::Status;
use crate::units;

/// What a connection came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    /// What was asked for.
    pub(crate) target: String,
    /// Which of several connections this is, from 1.
    pub(crate) connection: u32,
    /// How many there are to be.
    pub(crate) connections: u32,
    /// What became of the first bytes; nothing without a connection.
    #[serde(serialize_with = "outcome_name")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(serialize_with = "reason_name")]
    pub(crate) reason: Option<Reason>,
    /// Which address took the connection.
    pub(crate) address: Option<SocketAddr>,
    /// From which address and port.
    pub(crate) local: Option<SocketAddr>,
    /// How many bytes were given to connect with.
    pub(crate) first_bytes: u64,
    /// How many of them its SYN carried.
    pub(crate) syn_bytes: u64,
    /// Whether the kernel has a cookie for the server now; `null` when it does not tell.
    pub(crate) cookie_cached: Option<bool>,
    /// That cookie, shortened.
    pub(crate) cookie: Option<String>,
    #[serde(rename = "rtt_ms", serialize_with = "milliseconds")]
    pub(crate) rtt: Option<Duration>,
    #[serde(rename = "connect_ms", serialize_with = "milliseconds")]
    pub(crate) connect: Option<Duration>,
    /// The first byte of the answer, counted from the start of connecting.
    #[serde(rename = "first_byte_ms", serialize_with = "milliseconds")]
    pub(crate) first_byte: Option<Duration>,
    #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
    pub(crate) elapsed: Option<Duration>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Segments sent again, SYNs included.
    pub(crate) retransmits: Option<u32>,
    /// How the connection ended.
    pub(crate) end: Option<End>,
    pub(crate) attempts: Vec<AttemptReport>,
    /// Why there is no connection.
    #[serde(rename = "error")]
    pub(crate) failure: Option<Failure>,
}

/// One attempt at a connection.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AttemptReport {
    pub(crate) address: SocketAddr,
    /// `fast`: with the Fast Open option.
    pub(crate) syn: &'static str,
    pub(crate) syn_bytes: u64,
    #[serde(rename = "started_ms", serialize_with = "exact_milliseconds")]
    pub(crate) started: Duration,
    #[serde(rename = "elapsed_ms", serialize_with = "exact_milliseconds")]
    pub(crate) elapsed: Duration,
    pub(crate) end: &'static str,
    pub(crate) error: Option<String>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// Both sides had said all they had to say.
    Closed,
    /// The server reset it.
    Reset,
    /// The server was silent for too long.
    Silent,
    /// The program was asked to stop.
    Interrupted,
    /// The path broke.
    Broken,
}

impl Report {
    pub(super) fn connected(
        outcome: Outcome,
        attempts: &[Attempt],
        first_bytes: usize,
        connect: Duration,
    ) -> Self {
        let winner = attempts
            .iter()
            .find(|attempt| attempt.end == AttemptEnd::Connected);
        Self {
            outcome: Some(outcome),
            reason: outcome.reason(),
            address: winner.map(|winner| winner.address),
            first_bytes: first_bytes as u64,
            syn_bytes: winner.map_or(0, |winner| syn_bytes(winner.syn)),
            connect: Some(connect),
            sent: first_bytes as u64,
            attempts: attempts.iter().map(AttemptReport::from).collect(),
            ..Self::default()
        }
    }

    pub(super) fn failed(error: &ConnectError) -> Self {
        Self {
            attempts: error.attempts().iter().map(AttemptReport::from).collect(),
            failure: Some(Failure::from(error)),
            ..Self::default()
        }
    }

    pub(super) fn interrupted() -> Self {
        Self {
            end: Some(End::Interrupted),
            failure: Some(Failure::interrupted()),
            ..Self::default()
        }
    }

    /// Whether the program was asked to stop meanwhile.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.end == Some(End::Interrupted)
    }

    /// The exit status that it comes to.
    pub(crate) fn status(&self) -> Status {
        match (self.outcome, &self.failure) {
            (None, Some(failure)) => failure.status(),
            (None, None) => Status::Inconclusive,
            (Some(outcome), _) => match outcome {
                Outcome::Accepted | Outcome::NotAttempted(Reason::Policy) => Status::Works,
                Outcome::Ignored | Outcome::SynLost => Status::Fails,
                Outcome::NoCookie if self.cookie_cached == Some(false) => Status::Fails,
                Outcome::NotAttempted(Reason::Sysctl | Reason::Unsupported) => Status::Unusable,
                _ => Status::Inconclusive,
            },
        }
    }
}

fn syn_bytes(syn: Syn) -> u64 {
    match syn {
        Syn::Plain => 0,
        Syn::Fast { bytes } => bytes as u64,
    }
}

impl From<&Attempt> for AttemptReport {
    fn from(attempt: &Attempt) -> Self {
        let (end, error) = match attempt.end {
            AttemptEnd::Connected => ("connected", None),
            AttemptEnd::Failed(error) => ("failed", Some(error.to_string())),
            AttemptEnd::Unanswered => ("unanswered", None),
        };
        Self {
            address: attempt.address,
            syn: match attempt.syn {
                Syn::Plain => "plain",
                Syn::Fast { .. } => "fast",
            },
            syn_bytes: syn_bytes(attempt.syn),
            started: attempt.started,
            elapsed: attempt.elapsed,
            end,
            error,
        }
    }
}

impl From<&io::Error> for End {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::Reset,
            _ => Self::Broken,
        }
    }
}

fn outcome_name<S: Serializer>(outcome: &Option<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.map(|outcome| outcome.name()).serialize(serializer)
}

fn reason_name<S: Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(|reason| reason.name()).serialize(serializer)
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(units::milliseconds).serialize(serializer)
}

fn exact_milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    units::milliseconds(*time).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_exit_status() {
        use Outcome::*;
        for (outcome, cookie_cached, code) in [
            (Accepted, Some(true), 0),
            (NotAttempted(Reason::Policy), None, 0),
            (Ignored, Some(true), 1),
            (SynLost, Some(true), 1),
            (NoCookie, Some(false), 1),
            (NoCookie, Some(true), 3),
            (NoCookie, None, 3),
            (NotAttempted(Reason::Sysctl), None, 2),
            (NotAttempted(Reason::Unsupported), None, 2),
            (NotAttempted(Reason::PathMemory), None, 3),
            (NotAttempted(Reason::Dataless), None, 3),
            (NotAttempted(Reason::Blackhole), None, 3),
            (Unknown, None, 3),
        ] {
            let report = Report {
                outcome: Some(outcome),
                cookie_cached,
                ..Report::default()
            };
            assert_eq!(report.status().code(), code, "{outcome} {cookie_cached:?}");
        }
    }
}
