//! All connections at once, within bounds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::icmp::IcmpError;
use crate::segment::Segment;

use super::connection::Connection;
use super::deadlines::{Deadline, Deadlines, Place};
use super::flow::FlowKey;
use super::limits::Limits;
use super::lone::LoneSyn;
use super::machine::{Cookies, Handshake};
use super::memory::Memory;
use super::packet::Packet;
use super::past::Past;
use super::report::Ending;
use super::table::{Followed, State, Table};

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
    followed: Table,
    deadlines: Deadlines,
    /// No connection is given up before that.
    next_due: Duration,
    past: Memory<FlowKey, Past>,
    cookies: Cookies,
    reports: VecDeque<Connection>,
    opened: u64,
    evicted: u64,
}

impl Tracker {
    /// Follows no connection yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            followed: Table::default(),
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
        let place = self.followed.find(&key);
        if let Some(followed) = place.and_then(|place| self.followed.at_mut(place)) {
            followed.handshake().take_icmp(number, time, error);
        }
    }

    fn dispatch(&mut self, packet: &Packet<'_>, opens: bool) {
        let key = FlowKey::new(packet.segment.source, packet.segment.destination);
        let place = self.followed.find(&key);
        match place.and_then(|place| Some((place, self.followed.at_mut(place)?))) {
            Some((place, followed)) => {
                let deadline = &mut followed.deadline;
                let handshake = followed.state.begun(&key, deadline.due);
                if !handshake.continues(packet.segment) {
                    self.close(place, Ending::Reused(packet.number));
                    return self.open(key, packet);
                }
                handshake.take(packet, &self.limits, &mut self.cookies);
                if handshake.is_complete() {
                    self.close(place, Ending::Complete);
                } else if handshake.due() != deadline.due {
                    deadline.due = handshake.due();
                    let deadline = *deadline;
                    self.give_up_at(deadline, place);
                }
            }
            None if opens => self.open(key, packet),
            None => {}
        }
    }

    /// Says that time has passed without a packet, so that connections without an answer can be reported.
    pub fn advance(&mut self, time: Duration) {
        while let Some((deadline, place)) = self.next_deadline() {
            if deadline.due > time {
                self.next_due = deadline.due;
                return;
            }
            self.close(place, Ending::Overdue);
        }
        self.next_due = Duration::MAX;
    }

    /// Says that there are no more packets: every connection that is still followed is reported with what is known of it.
    pub fn finish(&mut self) {
        let ages = self.followed.iter();
        let mut left: Vec<_> = ages
            .map(|(place, followed)| (followed.deadline.age, place))
            .collect();
        left.sort_unstable();
        for (_, place) in left {
            self.close(place, Ending::Finished);
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
        let Some(state) = self.begin(&key, packet) else {
            return;
        };
        while self.followed.len() >= self.limits.connections.max(1) {
            let Some((_, first)) = self.next_deadline() else {
                break;
            };
            self.close(first, Ending::Evicted);
        }
        let due = match &state {
            State::Lone(_) => packet.time.saturating_add(self.limits.patience),
            State::Begun(handshake) => handshake.due(),
        };
        let deadline = Deadline {
            due,
            age: self.opened,
        };
        self.opened += 1;
        let place = self.followed.add(Followed { key, deadline, state });
        self.give_up_at(deadline, place);
    }

    /// What a connection's first packet begins; nothing where it is a late one of a connection before.
    fn begin(&mut self, key: &FlowKey, packet: &Packet<'_>) -> Option<State> {
        let begun = match self.past.get(key) {
            Some(past) => past.successor(packet, &self.limits)?,
            None if packet.segment.flags.ack => Handshake::new(packet),
            None => match LoneSyn::new(packet, key) {
                Some(mut syn) => {
                    syn.remember_cookie(packet, &mut self.cookies);
                    return Some(State::Lone(syn));
                }
                None => Handshake::new(packet),
            },
        };
        let mut handshake = Box::new(begun);
        handshake.take(packet, &self.limits, &mut self.cookies);
        Some(State::Begun(handshake))
    }

    fn close(&mut self, place: Place, ending: Ending) {
        let Some(followed) = self.followed.remove(place) else {
            return;
        };
        let key = followed.key;
        if let Some(past) = followed.into_handshake().end(ending, &mut self.reports) {
            self.evicted += u64::from(ending == Ending::Evicted);
            self.past.put(key, past);
        }
    }

    fn give_up_at(&mut self, deadline: Deadline, place: Place) {
        self.deadlines.push(deadline, place);
        self.next_due = self.next_due.min(deadline.due);
        let followed = &self.followed;
        self.deadlines
            .tidy(followed.len(), |deadline, place| holds(followed, deadline, place));
    }

    fn next_deadline(&mut self) -> Option<(Deadline, Place)> {
        let followed = &self.followed;
        self.deadlines
            .next(|deadline, place| holds(followed, deadline, place))
    }
}

/// Whether it is still the deadline of the connection in that place.
fn holds(followed: &Table, deadline: &Deadline, place: Place) -> bool {
    followed
        .at(place)
        .is_some_and(|followed| followed.deadline == *deadline)
}
