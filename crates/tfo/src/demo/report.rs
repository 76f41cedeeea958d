//! What the demonstration found, as values: `schemas/demo.json` describes them.

use std::time::Duration;

use anyhow::Context;
use fastopen::{Arrival, ArrivalKind, FastOpen, Outcome, Reason};
use fastopen_lab::Frame;
use serde::{Serialize, Serializer};

use super::Setting;
use super::dialogue::Dialogue;
use super::hostile::Hostile;
use super::packets;
use super::server::Visit;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) rtt_ms: f64,
    pub(super) ip_version: u8,
    pub(super) connections: Vec<Connection>,
    /// From servers that speak first.
    pub(super) greetings: Vec<Greeting>,
    pub(super) paths: Vec<Path>,
    /// What is not as expected.
    pub(super) problems: Vec<String>,
}

/// What the client got for its request. `T` is optional where nothing may have come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Exchange<T = f64> {
    #[serde(serialize_with = "outcome_name")]
    pub(super) outcome: Outcome,
    #[serde(serialize_with = "reason_name")]
    pub(super) reason: Option<Reason>,
    /// From the start of connecting to the first byte of the answer, in round-trip times.
    pub(super) rounds: T,
    pub(super) elapsed_ms: T,
}

/// One of the three ways to connect over a path that lets everything through.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Connection {
    pub(super) kind: Kind,
    /// The sample with the median time; so is everything below.
    #[serde(flatten)]
    pub(super) exchange: Exchange,
    pub(super) delivered_once: bool,
    pub(super) request_bytes: usize,
    /// When the client had the connection, since it began to connect; the times below likewise.
    pub(super) connected_ms: f64,
    pub(super) server: Arrived,
    pub(super) samples: [Exchange; 3],
    /// Its packets on the client's end of the path.
    #[serde(skip)]
    pub(super) packets: fastopen_wire::Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Plain,
    First,
    Fast,
}

/// How a server's greeting arrived.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Greeting {
    pub(super) kind: Kind,
    /// The sample with the median time.
    #[serde(flatten)]
    pub(super) exchange: Exchange,
    pub(super) delivered_once: bool,
    pub(super) samples: [Exchange; 3],
}

/// A connection as its server saw it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Arrived {
    #[serde(serialize_with = "arrival_name")]
    pub(super) arrival: ArrivalKind,
    pub(super) syn: Option<Syn>,
    pub(super) accepted_ms: f64,
    pub(super) answered_ms: Option<f64>,
    pub(super) confirmed_ms: Option<f64>,
}

/// The SYN as it reached the server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Syn {
    pub(super) option: SynOption,
    /// Shortened.
    pub(super) cookie: Option<String>,
    pub(super) data_bytes: usize,
}

/// A SYN's Fast Open option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SynOption {
    None,
    Request,
    Cookie,
    Malformed,
}

/// A connection with a cookie over a hostile path.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Path {
    pub(super) scenario: &'static str,
    pub(super) about: String,
    #[serde(flatten)]
    pub(super) exchange: Exchange<Option<f64>>,
    #[serde(serialize_with = "outcome_name")]
    pub(super) expected: Outcome,
    pub(super) delivered_once: bool,
    pub(super) server: Arrived,
    /// Other connections on which the server's application read the same request.
    pub(super) duplicates: Vec<Duplicate>,
    /// The connection after it, where the path memory should make it plain.
    pub(super) next: Option<Exchange>,
}

/// The request on a connection that isn't the client's.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Duplicate {
    pub(super) confirmed: bool,
    /// How long after it was accepted the server's kernel ended it.
    pub(super) ended_after_ms: f64,
}

impl Report {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            rtt_ms: milliseconds(setting.rtt),
            ip_version: if setting.ipv6 { 6 } else { 4 },
            connections: Vec::new(),
            greetings: Vec::new(),
            paths: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn add_connection(&mut self, connection: Connection) {
        self.problems.extend(connection.problems());
        self.connections.push(connection);
    }

    pub(super) fn add_greeting(&mut self, greeting: Greeting) {
        self.problems.extend(greeting.problems());
        self.greetings.push(greeting);
    }

    pub(super) fn add_path(&mut self, path: Path) {
        self.problems.extend(path.problems());
        self.paths.push(path);
    }
}

impl Exchange {
    pub(super) fn new(dialogue: &Dialogue, rtt: Duration) -> Self {
        let elapsed = dialogue.elapsed();
        Self {
            outcome: dialogue.outcome,
            reason: dialogue.outcome.reason(),
            rounds: rounded(elapsed.as_secs_f64() / rtt.as_secs_f64()),
            elapsed_ms: milliseconds(elapsed),
        }
    }

    /// Without the times where there was no answer.
    pub(super) fn if_answered(self, answered: bool) -> Exchange<Option<f64>> {
        Exchange {
            outcome: self.outcome,
            reason: self.reason,
            rounds: answered.then_some(self.rounds),
            elapsed_ms: answered.then_some(self.elapsed_ms),
        }
    }
}

impl Connection {
    /// Takes the sample with the median time for the whole.
    pub(super) fn new(
        kind: Kind,
        samples: &[Dialogue; 3],
        rtt: Duration,
        frames: &[Vec<Frame>; 3],
    ) -> anyhow::Result<Self> {
        let [first, second, third] = samples;
        let [of_first, of_second, of_third] = frames;
        let with_frames = [(first, of_first), (second, of_second), (third, of_third)];
        let (median, frames) = median(with_frames, |(sample, _)| sample.elapsed());
        Ok(Self {
            kind,
            exchange: Exchange::new(median, rtt),
            delivered_once: samples.iter().all(|sample| sample.delivered_once),
            request_bytes: median.request.len(),
            connected_ms: milliseconds(median.connected - median.began),
            server: Arrived::new(median),
            samples: samples.each_ref().map(|sample| Exchange::new(sample, rtt)),
            packets: packets::of_connection_from(median.visit.peer.port(), frames)
                .context("its packets were not seen")?,
        })
    }
}

impl Greeting {
    pub(super) const KINDS: [Kind; 2] = [Kind::Plain, Kind::Fast];

    pub(super) fn new(kind: Kind, samples: &[Dialogue; 3], rtt: Duration) -> Self {
        Self {
            kind,
            exchange: Exchange::new(median(samples.each_ref(), |sample| sample.elapsed()), rtt),
            delivered_once: samples.iter().all(|sample| sample.delivered_once),
            samples: samples.each_ref().map(|sample| Exchange::new(sample, rtt)),
        }
    }
}

/// The one with the median time.
fn median<T>(mut samples: [T; 3], elapsed: impl FnMut(&T) -> Duration) -> T {
    samples.sort_by_key(elapsed);
    let [_, median, _] = samples;
    median
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::First, Self::Fast];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::First => "first",
            Self::Fast => "fast",
        }
    }
}

impl Path {
    pub(super) fn new(
        hostile: &Hostile,
        about: String,
        attempt: &Dialogue,
        others: &[Visit],
        next: Option<&Dialogue>,
        rtt: Duration,
    ) -> Self {
        let same = |visit: &&Visit| visit.received == attempt.request.as_bytes();
        Self {
            scenario: hostile.scenario,
            about,
            exchange: Exchange::new(attempt, rtt).if_answered(!attempt.gave_up),
            expected: hostile.expected,
            delivered_once: attempt.delivered_once,
            server: Arrived::new(attempt),
            duplicates: others.iter().filter(same).map(Duplicate::new).collect(),
            next: next.map(|next| Exchange::new(next, rtt)),
        }
    }
}

impl Duplicate {
    fn new(visit: &Visit) -> Self {
        Self {
            confirmed: visit.confirmed.is_some(),
            ended_after_ms: milliseconds(visit.ended - visit.accepted),
        }
    }
}

impl Arrived {
    pub(super) fn new(dialogue: &Dialogue) -> Self {
        let Visit { arrival, .. } = &dialogue.visit;
        let since = |at| milliseconds(at - dialogue.began);
        Self {
            arrival: arrival.kind,
            syn: Syn::of(arrival),
            accepted_ms: since(dialogue.visit.accepted),
            answered_ms: dialogue.visit.answered.map(since),
            confirmed_ms: dialogue.visit.confirmed.map(since),
        }
    }
}

impl Syn {
    fn of(arrival: &Arrival) -> Option<Self> {
        let syn = arrival.syn?;
        let (option, cookie) = match syn.fast_open {
            FastOpen::Absent => (SynOption::None, None),
            FastOpen::Request(_) => (SynOption::Request, None),
            FastOpen::Cookie(_, cookie) => (SynOption::Cookie, Some(cookie.to_string())),
            FastOpen::Malformed { .. } => (SynOption::Malformed, None),
        };
        Some(Self {
            option,
            cookie,
            data_bytes: syn.data_bytes,
        })
    }
}

fn milliseconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e3)
}

/// To two digits behind the point.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn outcome_name<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.name().serialize(serializer)
}

fn reason_name<S: Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(|reason| reason.name()).serialize(serializer)
}

fn arrival_name<S: Serializer>(arrival: &ArrivalKind, serializer: S) -> Result<S::Ok, S::Error> {
    arrival.name().serialize(serializer)
}
