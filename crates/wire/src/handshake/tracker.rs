//! All connections at once, within bounds.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::icmp::IcmpError;
use crate::segment::Segment;

use super::connection::Connection;
use super::deadlines::{Deadline, Deadlines};
use super::flow::FlowKey;
use super::limits::Limits;
use super::machine::{Cookies, Handshake};
use super::memory::Memory;
use super::packet::Packet;
use super::past::Past;
use super::report::Ending;

/// Follows every connection from its SYN, and reports each once.
///
/// Feed it the segments of a capture in their order, and take the reports as they come. Memory stays within [`Limits`] as long as
/// reports are taken: where there are more connections than that, the ones that have least to wait for are reported early.
///
/// # When a verdict is given
/// - At the SYN-ACK, for most. It must acknowledge a SYN that was seen; where the timestamp that it echoes is no seen SYN's, and the
///   verdict depends on which SYN it answers, there is none. It may come before its SYN, as captures of several queues have it.
/// - At a reset from the server that acknowledges the SYN: [`Refused`](super::Verdict::Refused).
/// - At the client's FIN, if it acknowledges nothing: [`Unanswered`](super::Verdict::Unanswered).
/// - At the client's acknowledgment, if the SYN-ACK is missing and the SYN offered nothing: [`Plain`](super::Verdict::Plain).
/// - After [`Limits::patience`] without any packet but SYNs, or when a client that has repeated its SYN begins another connection
///   from the same ports: [`Unanswered`](super::Verdict::Unanswered).
/// - Never after [`finish`](Self::finish): what is open then is [`Inconclusive`](super::Verdict::Inconclusive). So a capture that
///   is cut gives the verdicts of the whole one, or fewer.
///
/// The report comes when the first data have passed each way, at a FIN or a reset, or after [`Limits::settle`].
///
/// # What it can't know
/// What a capture lacks without a trace can't be told from what was never sent. A capture that begins between a fast SYN and the plain
/// one after it shows a plain connection; one whose filter lets only SYNs through shows clients without an answer.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use fastopen_wire::{Flags, Limits, Segment, Tracker, Verdict};
///
/// let syn = Segment {
///     source: "192.0.2.1:40000".parse()?,
///     destination: "192.0.2.2:80".parse()?,
///     sequence: 7,
///     acknowledgment: 0,
///     flags: Flags { syn: true, ..Flags::default() },
///     window: 65535,
///     options: &[34, 6, 1, 2, 3, 4],
///     payload: b"GET /",
///     payload_len: 5,
/// };
/// let syn_ack = Segment {
///     source: syn.destination,
///     destination: syn.source,
///     sequence: 1000,
///     acknowledgment: 7 + 1 + 5,
///     flags: Flags { syn: true, ack: true, ..Flags::default() },
///     options: &[],
///     payload: &[],
///     payload_len: 0,
///     ..syn
/// };
/// let mut tracker = Tracker::new(Limits::default());
/// tracker.observe(1, Duration::ZERO, &syn);
/// tracker.observe(2, Duration::from_millis(60), &syn_ack);
/// tracker.finish();
/// let connection = tracker.poll().expect("one connection");
/// assert_eq!(connection.verdict, Verdict::Accepted);
/// assert_eq!(connection.steps[0].to_string(), "SYN carries 5 bytes and cookie 0102…");
/// assert_eq!(connection.steps[1].to_string(), "SYN-ACK acknowledges all 5");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tracker {
    limits: Limits,
    followed: HashMap<FlowKey, Followed, RandomState>,
    deadlines: Deadlines,
    /// No connection is given up before that.
    next_due: Duration,
    past: Memory<FlowKey, Past>,
    cookies: Cookies,
    reports: VecDeque<Connection>,
    opened: u64,
    evicted: u64,
}

#[derive(Clone, Debug)]
struct Followed {
    deadline: Deadline,
    handshake: Box<Handshake>,
}

impl Tracker {
    /// Follows no connection yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            followed: HashMap::default(),
            deadlines: Deadlines::default(),
            next_due: Duration::MAX,
            past: Memory::new(limits.connections),
            cookies: Memory::new(limits.connections),
            reports: VecDeque::new(),
            opened: 0,
            evicted: 0,
        }
    }

    /// Takes the next segment: its number, by which reports refer to it, and when it was seen, from any origin of time.
    ///
    /// The times of packets may go back a little, as those of several network queues do.
    #[inline]
    pub fn observe(&mut self, number: u64, time: Duration, segment: &Segment<'_>) {
        if time >= self.next_due {
            self.advance(time);
        }
        let opens = segment.flags.syn && !segment.flags.rst;
        if opens || !self.followed.is_empty() {
            let packet = Packet {
                number,
                time,
                segment,
            };
            self.dispatch(&packet, opens);
        }
    }

    /// Takes an ICMP error about a segment: it explains why a SYN had no answer.
    pub fn observe_icmp(&mut self, number: u64, time: Duration, error: &IcmpError) {
        let key = FlowKey::new(error.source, error.destination);
        if let Some(followed) = self.followed.get_mut(&key) {
            followed.handshake.take_icmp(number, time, error);
        }
    }

    fn dispatch(&mut self, packet: &Packet<'_>, opens: bool) {
        let key = FlowKey::new(packet.segment.source, packet.segment.destination);
        match self.followed.get_mut(&key) {
            Some(followed) if followed.handshake.continues(packet.segment) => {
                followed.handshake.take(packet, &self.limits, &mut self.cookies);
                if followed.handshake.is_complete() {
                    self.close(&key, Ending::Complete);
                } else if followed.handshake.due() != followed.deadline.due {
                    followed.deadline.due = followed.handshake.due();
                    let deadline = followed.deadline;
                    self.give_up_at(deadline, key);
                }
            }
            Some(_) => {
                self.close(&key, Ending::Reused(packet.number));
                self.open(key, packet);
            }
            None if opens => self.open(key, packet),
            None => {}
        }
    }

    /// Says that time has passed without a packet, so that connections without an answer can be reported.
    pub fn advance(&mut self, time: Duration) {
        while let Some((deadline, key)) = self.next_deadline() {
            if deadline.due > time {
                self.next_due = deadline.due;
                return;
            }
            self.close(&key, Ending::Overdue);
        }
        self.next_due = Duration::MAX;
    }

    /// Says that there are no more packets: every connection that is still followed is reported with what is known of it.
    pub fn finish(&mut self) {
        let ages = self
            .followed
            .iter()
            .map(|(key, followed)| (followed.deadline.age, *key));
        let mut left: Vec<_> = ages.collect();
        left.sort_unstable_by_key(|(age, _)| *age);
        for (_, key) in left {
            self.close(&key, Ending::Finished);
        }
        self.deadlines = Deadlines::default();
        self.next_due = Duration::MAX;
    }

    /// Takes the next report.
    pub fn poll(&mut self) -> Option<Connection> {
        self.reports.pop_front()
    }

    /// How many connections are followed at the moment.
    pub fn followed(&self) -> usize {
        self.followed.len()
    }

    /// How many connections were reported early because there was no room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn open(&mut self, key: FlowKey, packet: &Packet<'_>) {
        let mut handshake = match self.past.get(&key) {
            None => Box::new(Handshake::new(packet)),
            Some(past) => match past.successor(packet, &self.limits) {
                Some(handshake) => Box::new(handshake),
                None => return,
            },
        };
        while self.followed.len() >= self.limits.connections.max(1)
            && let Some((_, first)) = self.next_deadline()
        {
            self.close(&first, Ending::Evicted);
        }
        handshake.take(packet, &self.limits, &mut self.cookies);
        let deadline = Deadline {
            due: handshake.due(),
            age: self.opened,
        };
        self.opened += 1;
        self.followed.insert(key, Followed { deadline, handshake });
        self.give_up_at(deadline, key);
    }

    fn close(&mut self, key: &FlowKey, ending: Ending) {
        let Some(Followed { handshake, .. }) = self.followed.remove(key) else {
            return;
        };
        if let Some(past) = handshake.end(ending, &mut self.reports) {
            self.evicted += u64::from(ending == Ending::Evicted);
            self.past.put(*key, past);
        }
    }

    fn give_up_at(&mut self, deadline: Deadline, key: FlowKey) {
        self.deadlines.push(deadline, key);
        self.next_due = self.next_due.min(deadline.due);
        let followed = &self.followed;
        self.deadlines
            .tidy(followed.len(), |deadline, key| holds(followed, deadline, key));
    }

    fn next_deadline(&mut self) -> Option<(Deadline, FlowKey)> {
        let followed = &self.followed;
        self.deadlines
            .next(|deadline, key| holds(followed, deadline, key))
    }
}

/// Whether it is still the deadline of that connection.
fn holds(followed: &HashMap<FlowKey, Followed, RandomState>, deadline: &Deadline, key: &FlowKey) -> bool {
    followed
        .get(key)
        .is_some_and(|followed| followed.deadline == *deadline)
}
