//! What is remembered of destinations, and what follows from it for the next connection: pure.
//!
//! A deferred connect() succeeds before anybody has answered, so that a program never tries its next address. Therefore the first
//! connection to an address and port is an ordinary one, and only a destination that answered recently is deferred. A failure makes it
//! plain for a minute, and each further one for twice as long, up to a day; so do connections that save nothing. A server that speaks
//! first makes it plain for an hour, and then for twice as long.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

/// For how long an answer is taken as evidence that the destination is reachable. If the host fails within that time, one connection does not try its
/// other addresses.
const RECENT: u64 = 60 * 60;
const FIRST_PAUSE: u64 = 60;
/// A server that speaks first is likely to go on doing so, but the port may be another's by then.
const SERVER_FIRST_PAUSE: u64 = 60 * 60;
const LONGEST_PAUSE: u64 = 24 * 60 * 60;
/// After so many connections in a row that were deferred and saved nothing, deferring costs more than it saves.
const IN_VAIN: u8 = 2;

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing is known of the destination: an ordinary connection, which asks for a cookie.
    Learn,
    /// Its first bytes may go into the SYN.
    Defer,
    /// An ordinary connection.
    Plain(Why),
}

/// Why a destination gets an ordinary connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Failed,
    ServerFirst,
    /// Its clients wrote only after they had been released, or more at once than a SYN takes.
    SavesNothing,
}

/// What is remembered of one destination. Times are in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When it answered.
    pub(crate) answered: u64,
    /// Until when it gets ordinary connections.
    pub(crate) plain_until: u64,
    /// How long that is, in seconds.
    pub(crate) pause: u64,
    /// It is plain, or was last, because the server spoke first.
    pub(crate) server_first: bool,
    /// Connections in a row that were deferred and saved nothing.
    pub(crate) in_vain: u8,
    /// The round-trip time in microseconds; 0 where it is not known.
    pub(crate) rtt: u32,
    /// When something was last learnt: the oldest makes room.
    pub(crate) touched: u64,
}

/// The destinations, at most so many.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    capacity: usize,
    entries: HashMap<SocketAddr, Entry>,
    changed: BTreeSet<SocketAddr>,
}

impl Memory {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: HashMap::new(),
            changed: BTreeSet::new(),
        }
    }

    pub(crate) fn decide(&self, destination: SocketAddr, now: u64) -> Decision {
        let Some(entry) = self.entries.get(&destination) else {
            return Decision::Learn;
        };
        // A clock that was set back must not make a pause longer than it is.
        if now < entry.plain_until && entry.plain_until - now <= LONGEST_PAUSE {
            return Decision::Plain(match (entry.server_first, entry.is_in_vain()) {
                (true, _) => Why::ServerFirst,
                (false, true) => Why::SavesNothing,
                (false, false) => Why::Failed,
            });
        }
        match now.abs_diff(entry.answered) < RECENT {
            true => Decision::Defer,
            false => Decision::Learn,
        }
    }

    /// The round-trip time to there, if it is known.
    pub(crate) fn rtt(&self, destination: SocketAddr) -> Option<Duration> {
        let rtt = self.entries.get(&destination)?.rtt;
        (rtt > 0).then(|| Duration::from_micros(rtt.into()))
    }

    /// A connection was made, with this round-trip time.
    pub(crate) fn answered(&mut self, destination: SocketAddr, now: u64, rtt: Option<Duration>) {
        let rtt = rtt.map_or(0, |rtt| u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX));
        // Every connection to a busy destination says about the same; the file need not be written each time.
        let is_news = self.entries.get(&destination).is_none_or(|entry| {
            now.abs_diff(entry.answered) > RECENT / 4 || rtt > 0 && rtt.abs_diff(entry.rtt) > entry.rtt / 2
        });
        if is_news {
            self.learn(destination, now, |entry| {
                entry.answered = now;
                if rtt > 0 {
                    entry.rtt = rtt;
                }
            });
        }
    }

    /// Data in the SYN was accepted, or the client wrote in time at least: deferring does what it is for.
    pub(crate) fn worked(&mut self, destination: SocketAddr, now: u64, rtt: Option<Duration>) {
        let stays = |entry: &Entry| entry.pause == 0 && entry.in_vain == 0 && !entry.server_first;
        if !self.entries.get(&destination).is_some_and(stays) {
            self.learn(destination, now, |entry| {
                // It has refuted that. A failure it has not: of several at once some may fail.
                if entry.server_first || entry.is_in_vain() {
                    entry.plain_until = 0;
                }
                (entry.pause, entry.in_vain, entry.server_first) = (0, 0, false);
            });
        }
        self.answered(destination, now, rtt);
    }

    /// A SYN with the option got no answer where a plain one might have, or the connection failed.
    pub(crate) fn failed(&mut self, destination: SocketAddr, now: u64) {
        self.learn(destination, now, |entry| {
            (entry.answered, entry.in_vain) = (0, 0);
            entry.make_plain(now, FIRST_PAUSE);
        });
    }

    /// The server spoke first.
    pub(crate) fn server_spoke_first(&mut self, destination: SocketAddr, now: u64) {
        self.learn(destination, now, |entry| {
            // Its pause is the longest of all, and so takes the place of another.
            if !entry.server_first {
                (entry.plain_until, entry.pause) = (0, 0);
            }
            entry.make_plain(now, SERVER_FIRST_PAUSE);
            (entry.answered, entry.in_vain, entry.server_first) = (now, 0, true);
        });
    }

    /// The client wrote only after the connection had been released, or more at once than the SYN took. The destination did answer.
    pub(crate) fn saved_nothing(&mut self, destination: SocketAddr, now: u64) {
        self.learn(destination, now, |entry| {
            entry.answered = now;
            entry.in_vain = entry.in_vain.saturating_add(1);
            if entry.is_in_vain() {
                entry.make_plain(now, FIRST_PAUSE);
            }
        });
    }

    fn learn(&mut self, destination: SocketAddr, now: u64, change: impl FnOnce(&mut Entry)) {
        let entry = self.entries.entry(destination).or_default();
        change(entry);
        entry.touched = now;
        self.changed.insert(destination);
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.entries.len() <= self.capacity {
            return;
        }
        // Rare: it makes room for many at once.
        let mut by_age: Vec<_> = self
            .entries
            .iter()
            .map(|(destination, entry)| (entry.touched, *destination))
            .collect();
        by_age.sort_unstable();
        let surplus = self.entries.len() - self.capacity * 3 / 4;
        for (_, destination) in by_age.into_iter().take(surplus) {
            self.entries.remove(&destination);
        }
    }

    /// Takes what others have learnt; what was learnt here and is not in their file yet is newer.
    pub(crate) fn merge(&mut self, theirs: impl IntoIterator<Item = (SocketAddr, Entry)>) {
        for (destination, entry) in theirs {
            let ours = self.entries.get(&destination);
            if !self.changed.contains(&destination) || ours.is_none_or(|ours| ours.touched < entry.touched) {
                self.entries.insert(destination, entry);
            }
        }
        self.shrink();
    }

    /// Whether something was learnt that is in no file yet.
    pub(crate) fn has_news(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What this copy knows is in the file. What was learnt since it was made is not.
    pub(crate) fn is_saved(&mut self, copy: &Self) {
        let entries = &self.entries;
        self.changed
            .retain(|destination| entries.get(destination) != copy.entries.get(destination));
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&SocketAddr, &Entry)> {
        self.entries.iter()
    }
}

impl Entry {
    fn is_in_vain(&self) -> bool {
        self.in_vain >= IN_VAIN
    }

    fn make_plain(&mut self, now: u64, first_pause: u64) {
        // Connections that fail together are one failure.
        if now >= self.plain_until {
            // A pause for one reason says nothing of another.
            if first_pause != SERVER_FIRST_PAUSE && std::mem::take(&mut self.server_first) {
                self.pause = 0;
            }
            self.pause = (self.pause * 2).clamp(first_pause, LONGEST_PAUSE);
            self.plain_until = now + self.pause;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn only_what_answered_lately_is_deferred() {
        let mut memory = Memory::new(10);
        assert_eq!(memory.decide(at(80), NOW), Decision::Learn);
        memory.answered(at(80), NOW, None);
        assert_eq!(memory.decide(at(80), NOW), Decision::Defer);
        assert_eq!(
            memory.decide(at(81), NOW),
            Decision::Learn,
            "another port of the host"
        );
        assert_eq!(memory.decide(at(80), NOW + RECENT), Decision::Learn);
        assert_eq!(
            memory.decide(at(80), NOW - RECENT),
            Decision::Learn,
            "the clock was set back"
        );
    }

    #[test]
    fn a_failure_makes_it_plain_and_then_it_learns_anew() {
        let mut memory = Memory::new(10);
        memory.answered(at(80), NOW, None);
        memory.failed(at(80), NOW);
        memory.failed(at(80), NOW + 1);
        assert_eq!(memory.decide(at(80), NOW + 59), Decision::Plain(Why::Failed));
        assert_eq!(
            memory.decide(at(80), NOW + 60),
            Decision::Learn,
            "an ordinary connection first"
        );
        memory.answered(at(80), NOW + 60, None);
        assert_eq!(memory.decide(at(80), NOW + 60), Decision::Defer);
        memory.failed(at(80), NOW + 60);
        assert_eq!(
            memory.decide(at(80), NOW + 60 + 119),
            Decision::Plain(Why::Failed),
            "twice as long"
        );
        memory.answered(at(80), NOW + 200, None);
        memory.worked(at(80), NOW + 200, None);
        memory.failed(at(80), NOW + 200);
        assert_eq!(
            memory.decide(at(80), NOW + 260),
            Decision::Learn,
            "it started over"
        );
    }

    #[test]
    fn servers_that_speak_first_and_clients_that_write_late_are_not_deferred() {
        let mut memory = Memory::new(10);
        memory.answered(at(25), NOW, None);
        memory.server_spoke_first(at(25), NOW);
        assert_eq!(memory.decide(at(25), NOW + 99), Decision::Plain(Why::ServerFirst));
        memory.failed(at(25), NOW + 99);
        assert_eq!(memory.decide(at(25), NOW + 99), Decision::Plain(Why::ServerFirst));
        memory.answered(at(80), NOW, None);
        memory.saved_nothing(at(80), NOW);
        assert_eq!(memory.decide(at(80), NOW), Decision::Defer, "once is chance");
        memory.saved_nothing(at(80), NOW);
        assert_eq!(memory.decide(at(80), NOW), Decision::Plain(Why::SavesNothing));
        assert_eq!(
            memory.decide(at(80), NOW + 60),
            Decision::Defer,
            "it answers, and is tried again"
        );
        memory.saved_nothing(at(80), NOW + 60);
        assert_eq!(
            memory.decide(at(80), NOW + 61),
            Decision::Plain(Why::SavesNothing)
        );
        memory.failed(at(80), NOW + 61);
        assert_eq!(memory.decide(at(80), NOW + 61), Decision::Plain(Why::Failed));
    }

    #[test]
    fn that_a_server_speaks_first_is_not_believed_for_ever() {
        let mut memory = Memory::new(10);
        memory.server_spoke_first(at(80), NOW);
        let last = NOW + SERVER_FIRST_PAUSE - 1;
        assert_eq!(memory.decide(at(80), last), Decision::Plain(Why::ServerFirst));
        assert_eq!(memory.decide(at(80), last + 1), Decision::Learn);
        memory.server_spoke_first(at(80), last + 1);
        assert_eq!(
            memory.decide(at(80), last + 2 * SERVER_FIRST_PAUSE),
            Decision::Plain(Why::ServerFirst),
            "twice as long"
        );
        // One that was begun before shows that the client does.
        memory.worked(at(80), last + 2, None);
        assert_eq!(memory.decide(at(80), last + 2), Decision::Defer);
        memory.failed(at(80), last + 2);
        assert_eq!(memory.decide(at(80), last + 61), Decision::Plain(Why::Failed));
        assert_eq!(memory.decide(at(80), last + 62), Decision::Learn);
        let mut memory = Memory::new(10);
        memory.server_spoke_first(at(80), NOW);
        memory.failed(at(80), last + 1);
        assert_eq!(
            memory.decide(at(80), last + 61),
            Decision::Learn,
            "a failure's pause is not a banner's"
        );
    }

    /// Of several at once, the last to be known.
    #[test]
    fn what_worked_ends_a_pause_that_it_refutes() {
        let mut memory = Memory::new(10);
        memory.answered(at(80), NOW, None);
        memory.saved_nothing(at(80), NOW);
        memory.saved_nothing(at(80), NOW);
        memory.worked(at(80), NOW, None);
        assert_eq!(memory.decide(at(80), NOW), Decision::Defer);
        memory.failed(at(80), NOW);
        memory.worked(at(80), NOW, None);
        assert_eq!(memory.decide(at(80), NOW), Decision::Plain(Why::Failed));
    }

    #[test]
    fn the_round_trip_time_follows_the_path() {
        let mut memory = Memory::new(10);
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(memory.rtt(at(80)), None);
        for (measured, remembered) in [(60, 60), (70, 60), (200, 200), (90, 90)] {
            memory.answered(at(80), NOW, ms(measured));
            assert_eq!(memory.rtt(at(80)), ms(remembered));
        }
        memory.answered(at(80), NOW + RECENT, None);
        assert_eq!(memory.rtt(at(80)), ms(90), "not measured this time");
    }

    #[test]
    fn what_others_learnt_is_taken_unless_ours_is_newer() {
        let mut memory = Memory::new(10);
        memory.failed(at(80), NOW);
        let theirs = |touched| Entry {
            answered: touched,
            touched,
            ..Entry::default()
        };
        memory.merge([(at(80), theirs(NOW - 1)), (at(81), theirs(NOW - 1))]);
        assert_eq!(memory.decide(at(80), NOW), Decision::Plain(Why::Failed));
        assert_eq!(memory.decide(at(81), NOW), Decision::Defer);
        memory.merge([(at(80), theirs(NOW + 1))]);
        assert_eq!(memory.decide(at(80), NOW + 1), Decision::Defer);
    }

    proptest! {
        #[test]
        fn it_never_outgrows_its_bound(events in prop::collection::vec((0_u16..40, 0_u64..100_000, 0_u8..5), 0..300)) {
            let mut memory = Memory::new(8);
            let mut now = NOW;
            for (port, seconds, event) in events {
                now += seconds;
                match event {
                    0 => memory.answered(at(port), now, None),
                    1 => memory.worked(at(port), now, None),
                    2 => memory.failed(at(port), now),
                    3 => memory.server_spoke_first(at(port), now),
                    _ => memory.saved_nothing(at(port), now),
                }
                prop_assert!(memory.entries.len() <= 8);
                for (_, entry) in memory.entries() {
                    prop_assert!(entry.plain_until <= now + LONGEST_PAUSE);
                }
            }
        }
    }
}
