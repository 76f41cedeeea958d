//! What a connection came to.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use fastopen::{Attempt, AttemptEnd, CallError, ConnectError, Outcome, Reason};
use serde::{Serialize, Serializer};

use super::failure::Failure;
use crate::own_server::OwnServer;
use crate::status::Status;
use crate::units;

/// From this round-trip time on, it weighs more than the machine's own delays.
pub(crate) const MEASURABLE: Duration = Duration::from_millis(5);

/// What a connection came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    /// What was asked for.
    pub(crate) target: String,
    /// Which of several connections this is, from 1.
    pub(crate) connection: u32,
    /// How many there are to be.
    pub(crate) connections: u32,
    /// Whether the server was to speak first, so that the SYN was to carry a cookie and no data.
    pub(crate) server_first: bool,
    /// What became of the SYN and its first bytes; nothing without a connection.
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
    /// The cookie that it had before the connection, shortened.
    pub(crate) cookie_before: Option<String>,
    /// Whether another cookie took its place; `null` when there was none, or when the kernel does not tell.
    pub(crate) cookie_replaced: Option<bool>,
    #[serde(rename = "rtt_ms", serialize_with = "milliseconds")]
    pub(crate) rtt: Option<Duration>,
    #[serde(rename = "connect_ms", serialize_with = "milliseconds")]
    pub(crate) connect: Option<Duration>,
    /// The first byte of the answer, counted from the start of connecting.
    #[serde(rename = "first_byte_ms", serialize_with = "milliseconds")]
    pub(crate) first_byte: Option<Duration>,
    /// The same in round-trip times.
    #[serde(rename = "first_byte_rounds")]
    pub(crate) rounds: Option<f64>,
    #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
    pub(crate) elapsed: Option<Duration>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Whether everything reached the server's system; nothing without a connection.
    pub(crate) delivery: Option<Delivery>,
    /// The data came piece by piece, and a server that resets the connection may not have read all of it.
    #[serde(skip)]
    pub(super) is_a_stream: bool,
    /// Segments sent again, SYNs included.
    pub(crate) retransmits: Option<u32>,
    /// Whether the server's system acknowledged something that followed the SYN, so that packets pass after the handshake; nothing
    /// where the kernel does not tell.
    #[serde(skip)]
    pub(super) acknowledged_afterwards: Option<bool>,
    /// How the connection ended.
    pub(crate) end: Option<End>,
    /// The server, where it is on this machine and did not take the data.
    #[serde(skip)]
    pub(super) own_server: Option<OwnServer>,
    pub(crate) attempts: Vec<AttemptReport>,
    /// Why there is no connection, or why its data or answer was lost on this machine.
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
    /// What answered the SYN in place of a SYN-ACK, where it was not silence.
    #[serde(skip)]
    pub(super) refused: Option<Refused>,
}

/// What answered a SYN in place of a SYN-ACK, as the kernel's error tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// ECONNREFUSED: a RST, or ICMP port unreachable.
    Reset,
    /// EHOSTUNREACH and the like: another ICMP error.
    Icmp,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// Both sides closed it.
    Closed,
    /// The server reset it.
    Reset,
    /// The server was silent for too long.
    Silent,
    /// A stop was requested.
    Interrupted,
    /// The path broke.
    Broken,
}

/// How much of what was to be sent reached the server's system. Whether its program has read it is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Delivery {
    /// All was sent and acknowledged.
    Complete,
    /// All was sent, and the end of it was never acknowledged.
    Unacknowledged,
    /// Some of it was never sent.
    CutOff,
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
            syn_bytes: winner.map_or(0, |winner| winner.syn.bytes() as u64),
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

    pub(crate) fn interrupted() -> Self {
        Self {
            end: Some(End::Interrupted),
            failure: Some(Failure::interrupted()),
            ..Self::default()
        }
    }

    /// There was nothing to connect with, or to.
    pub(crate) fn not_started(error: &anyhow::Error) -> Self {
        Self {
            failure: Some(Failure::before_connecting(error)),
            ..Self::default()
        }
    }

    /// Whether a stop was requested meanwhile.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.end == Some(End::Interrupted)
    }

    /// What answered the fast SYN to the address that a plain one reached, where something did.
    pub(super) fn fast_syn_refused(&self) -> Option<Refused> {
        self.attempts
            .iter()
            .filter(|attempt| attempt.syn == "fast" && Some(attempt.address) == self.address)
            .find_map(|attempt| attempt.refused)
    }

    /// There is no connection, and only SYNs with Fast Open were sent, one of which was refused: a plain one may have been answered.
    pub(crate) fn only_fast_syns_were_refused(&self) -> bool {
        self.outcome.is_none()
            && self.attempts.iter().all(|attempt| attempt.syn == "fast")
            && self.attempts.iter().any(|attempt| attempt.refused.is_some())
    }

    /// Nothing came back after the handshake: no byte, and no FIN after which the connection closed in the ordinary way, as one does that
    /// only uploads.
    pub(super) fn is_unanswered(&self) -> bool {
        self.received == 0 && self.end != Some(End::Closed)
    }

    /// The server spoke, and only the time that it took may tell whether the cookie saved a round trip.
    pub(crate) fn is_unproven(&self) -> bool {
        self.server_first
            && self.outcome == Some(Outcome::Unknown)
            && self.received > 0
            && self.cookie_replaced != Some(true)
            && self.rtt.is_none_or(|rtt| rtt >= MEASURABLE)
    }

    /// Nothing came back after the handshake, not even an acknowledgment, though packets were sent: what follows it seems to be lost.
    pub(crate) fn broke_after_the_handshake(&self) -> bool {
        self.is_unanswered()
            && self.lost_packets()
            && self.acknowledged_afterwards != Some(true)
            && self.end != Some(End::Reset)
    }

    /// Something was sent again, or has never been acknowledged.
    fn lost_packets(&self) -> bool {
        self.retransmits.is_some_and(|segments| segments > 0)
            || self.delivery == Some(Delivery::Unacknowledged)
    }

    /// The exit status that it comes to.
    pub(crate) fn status(&self) -> Status {
        match (self.outcome, &self.failure) {
            (None, Some(failure)) => failure.status(),
            (None, None) => Status::Inconclusive,
            (Some(outcome), _) => match self.status_of_handshake(outcome) {
                _ if !self.was_delivered() => Status::Fails,
                Status::Works if !self.was_carried_through() => Status::Inconclusive,
                Status::Works if self.server_first && self.received == 0 => Status::Inconclusive,
                status => status,
            },
        }
    }

    fn status_of_handshake(&self, outcome: Outcome) -> Status {
        match outcome {
            Outcome::Accepted | Outcome::NotAttempted(Reason::Policy) => Status::Works,
            Outcome::Ignored | Outcome::SynLost => Status::Fails,
            Outcome::NoCookie if self.cookie_cached == Some(false) => Status::Fails,
            Outcome::NotAttempted(Reason::Sysctl | Reason::Unsupported) => Status::Unusable,
            _ => Status::Inconclusive,
        }
    }

    /// All of it has reached the server, as far as that can be told. A reset means that something was not read, or that the server
    /// closed without reading it; where a whole stream was to arrive that is too little.
    fn was_delivered(&self) -> bool {
        match (self.delivery, self.end) {
            (Some(Delivery::CutOff), _) => false,
            (Some(Delivery::Unacknowledged), end) => end == Some(End::Interrupted),
            (_, Some(End::Reset)) => !self.is_a_stream,
            _ => true,
        }
    }

    /// After the handshake the connection worked, too.
    fn was_carried_through(&self) -> bool {
        self.delivery != Some(Delivery::Unacknowledged) && !self.is_unanswered()
    }
}

impl From<&Attempt> for AttemptReport {
    fn from(attempt: &Attempt) -> Self {
        Self {
            address: attempt.address,
            syn: attempt.syn.name(),
            syn_bytes: attempt.syn.bytes() as u64,
            started: attempt.started,
            elapsed: attempt.elapsed,
            end: attempt.end.name(),
            error: attempt.end.error().map(|error| error.to_string()),
            refused: attempt.end.error().and_then(Refused::by),
        }
    }
}

impl Refused {
    fn by(error: CallError) -> Option<Self> {
        match error.kind() {
            ErrorKind::ConnectionRefused => Some(Self::Reset),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Some(Self::Icmp),
            _ => None,
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
                end: Some(End::Closed),
                ..Report::default()
            };
            assert_eq!(report.status().code(), code, "{outcome} {cookie_cached:?}");
        }
    }

    #[test]
    fn without_a_greeting_there_is_no_telling() {
        for (received, code) in [(0, 3), (28, 0)] {
            let report = Report {
                outcome: Some(Outcome::NotAttempted(Reason::Policy)),
                server_first: true,
                end: Some(End::Silent),
                delivery: Some(Delivery::Complete),
                received,
                ..Report::default()
            };
            assert_eq!(report.status().code(), code, "{received} bytes");
        }
    }

    #[test]
    fn what_follows_the_handshake_counts_too() {
        use Delivery::*;
        for (end, delivery, received, retransmits, is_a_stream, code) in [
            (End::Closed, Complete, 5, 0, true, 0),
            (End::Closed, Complete, 0, 0, false, 0),
            (End::Closed, Complete, 5, 3, false, 0),
            (End::Silent, Complete, 5, 0, false, 0),
            (End::Silent, Complete, 0, 0, false, 3),
            (End::Silent, Complete, 0, 0, true, 3),
            (End::Silent, Complete, 0, 1, false, 3),
            (End::Broken, Complete, 0, 0, false, 3),
            (End::Silent, Unacknowledged, 0, 4, false, 1),
            (End::Broken, Unacknowledged, 0, 4, false, 1),
            (End::Silent, CutOff, 5, 0, true, 1),
            (End::Closed, CutOff, 5, 0, true, 1),
            (End::Interrupted, CutOff, 0, 0, true, 1),
            (End::Interrupted, Complete, 0, 0, false, 3),
            (End::Interrupted, Complete, 5, 0, false, 0),
            (End::Interrupted, Unacknowledged, 0, 1, false, 3),
            (End::Reset, Complete, 5, 0, false, 0),
            (End::Reset, Complete, 0, 0, false, 3),
            (End::Reset, Complete, 5, 0, true, 1),
        ] {
            let report = Report {
                outcome: Some(Outcome::Accepted),
                end: Some(end),
                delivery: Some(delivery),
                received,
                retransmits: Some(retransmits),
                is_a_stream,
                ..Report::default()
            };
            assert_eq!(report.status().code(), code, "{report:?}");
            // A path that loses everything is not proven good by a plain connection.
            let plain = Report {
                outcome: Some(Outcome::NotAttempted(Reason::Policy)),
                ..report
            };
            assert_eq!(plain.status().code(), code, "{plain:?}");
        }
    }
}
