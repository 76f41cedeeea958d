//! The signals that the front holds back until it is known whether the program has had them.
//!
//! What is sent to a whole process group, or by a service manager to each process of a control group, reaches the program directly.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::sys::signals::Received;

/// How long a signal waits for the witness in the group to receive the same. Senders that take processes one by one need a moment between two.
const ALONE: Duration = Duration::from_millis(10);
/// How long one that was sent to the group is remembered. It is the group's unless the witness outside receives the same.
const GROUP: Duration = Duration::from_millis(100);

/// Which signal, and which process sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) number: i32,
    pub(super) sender: u32,
}

impl Sent {
    /// None for what is never sent to many, and for SIGCONT.
    pub(super) fn of(signal: &Received) -> Option<Self> {
        let number = signal.number();
        let sender = signal.sender_to_process().filter(|_| number != libc::SIGCONT)?;
        Some(Self { number, sender })
    }
}

/// The witness that received a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witnessed {
    InGroup,
    Outside,
}

/// What the program has had if others had the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What was sent to the front's process group.
    Group,
    /// What this sender sends to each process.
    Each,
    Nothing,
}

pub(super) struct Held<S> {
    waiting: VecDeque<Waiting<S>>,
    /// Dropped unless the witness outside receives them.
    presumed: Vec<(S, Sent, Instant)>,
    seen: Vec<(Witnessed, Sent, Instant)>,
}

struct Waiting<S> {
    signal: S,
    /// None if it only keeps its place.
    sent: Option<(Sent, Reach)>,
    since: Instant,
}

impl<S> Held<S> {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            presumed: Vec::new(),
            seen: Vec::new(),
        }
    }

    pub(super) fn hold(&mut self, signal: S, sent: Option<(Sent, Reach)>, now: Instant) {
        let sent = sent.filter(|(_, reach)| *reach != Reach::Nothing);
        self.waiting.push_back(Waiting {
            signal,
            sent,
            since: now,
        });
    }

    pub(super) fn saw(&mut self, witness: Witnessed, sent: Sent, now: Instant) {
        self.seen.push((witness, sent, now));
    }

    /// As the kernel does with those that are pending, when a process is continued.
    pub(super) fn forget_stops(&mut self) {
        const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
        let stops = |sent: &Sent| STOPS.contains(&sent.number);
        self.waiting
            .retain(|waiting| !waiting.sent.as_ref().is_some_and(|(sent, _)| stops(sent)));
        self.presumed.retain(|(_, sent, _)| !stops(sent));
    }

    /// When something is to be decided for want of a witness.
    pub(super) fn due(&self) -> Option<Instant> {
        let alone = self.waiting.front().map(|first| first.since + ALONE);
        let group = self.presumed.iter().map(|(_, _, since)| *since + GROUP);
        alone.into_iter().chain(group).min()
    }

    /// The witnesses have told what was sent to them before `now`. Gives what is to be passed on, in its order.
    pub(super) fn decide(&mut self, now: Instant) -> Vec<S> {
        let mut passed = Vec::new();
        while let Some(first) = self.waiting.pop_front() {
            let Some((sent, reach)) = first.sent else {
                passed.push(first.signal);
                continue;
            };
            if self.take_seen(Witnessed::InGroup, sent, first.since, ALONE) {
                if reach == Reach::Group {
                    self.presumed.push((first.signal, sent, first.since));
                }
            } else if now >= first.since + ALONE {
                passed.push(first.signal);
            } else {
                self.waiting.push_front(first);
                break;
            }
        }
        for (signal, sent, since) in std::mem::take(&mut self.presumed) {
            if self.take_seen(Witnessed::Outside, sent, since, GROUP) {
                // Not to the group, but to a choice of processes, and nobody knows whether the program is one. Twice is better than never.
                passed.push(signal);
            } else if now < since + GROUP {
                self.presumed.push((signal, sent, since));
            }
        }
        self.seen.retain(|(_, _, at)| now < *at + GROUP);
        passed
    }

    /// The witnesses prove nothing. Gives everything: twice is better than never.
    pub(super) fn give_up(&mut self) -> Vec<S> {
        self.seen.clear();
        let presumed = self.presumed.drain(..).map(|(signal, ..)| signal);
        let waiting = self.waiting.drain(..).map(|waiting| waiting.signal);
        presumed.chain(waiting).collect()
    }

    fn take_seen(&mut self, witness: Witnessed, sent: Sent, since: Instant, before: Duration) -> bool {
        let found = self
            .seen
            .iter()
            .position(|(who, what, at)| *who == witness && *what == sent && *at + before >= since);
        found.map(|index| self.seen.remove(index)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Sent = Sent {
        number: libc::SIGTERM,
        sender: 7,
    };
    const OTHER: Sent = Sent { sender: 8, ..TERM };
    const STOP: Sent = Sent {
        number: libc::SIGTSTP,
        ..TERM
    };

    fn at(milliseconds: u64) -> Instant {
        use std::sync::OnceLock;
        static START: OnceLock<Instant> = OnceLock::new();
        *START.get_or_init(Instant::now) + Duration::from_millis(milliseconds)
    }

    #[test]
    fn to_the_front_alone() {
        let mut held = Held::new();
        held.hold('a', Some((TERM, Reach::Group)), at(0));
        held.hold('b', None, at(1));
        // From another sender, or too long ago.
        held.saw(Witnessed::InGroup, OTHER, at(1));
        assert_eq!(held.decide(at(9)), []);
        assert_eq!(held.due(), Some(at(10)));
        assert_eq!(held.decide(at(10)), ['a', 'b']);
        held.saw(Witnessed::InGroup, TERM, at(11));
        held.hold('c', Some((TERM, Reach::Group)), at(30));
        assert_eq!(held.decide(at(40)), ['c']);
        held.hold('d', Some((TERM, Reach::Nothing)), at(50));
        assert_eq!(held.decide(at(50)), ['d'], "it need not wait");
        assert_eq!(held.due(), None);
    }

    #[test]
    fn to_the_group() {
        let mut held = Held::new();
        held.saw(Witnessed::InGroup, TERM, at(0));
        held.hold('a', Some((TERM, Reach::Group)), at(1));
        // The same again, to the front alone.
        held.hold('b', Some((TERM, Reach::Group)), at(2));
        assert_eq!(held.decide(at(2)), []);
        assert_eq!(held.decide(at(12)), ['b']);
        assert_eq!(held.due(), Some(at(101)));
        assert_eq!(held.decide(at(101)), []);
        assert_eq!(held.due(), None);
    }

    #[test]
    fn to_all_that_look_alike() {
        let mut held = Held::new();
        held.saw(Witnessed::InGroup, TERM, at(0));
        held.hold('a', Some((TERM, Reach::Group)), at(1));
        assert_eq!(held.decide(at(2)), []);
        held.saw(Witnessed::Outside, TERM, at(60));
        assert_eq!(held.decide(at(60)), ['a']);
        held.saw(Witnessed::InGroup, TERM, at(200));
        held.saw(Witnessed::Outside, TERM, at(200));
        held.hold('b', Some((TERM, Reach::Each)), at(201));
        assert_eq!(held.decide(at(201)), [], "a manager does not choose by looks");
        assert_eq!(held.due(), None);
    }

    #[test]
    fn continued_before_it_is_stopped() {
        let mut held = Held::new();
        held.hold('a', Some((STOP, Reach::Group)), at(0));
        held.hold('b', Some((TERM, Reach::Group)), at(0));
        held.forget_stops();
        assert_eq!(held.decide(at(10)), ['b']);
    }

    #[test]
    fn witnesses_prove_nothing() {
        let mut held = Held::new();
        held.saw(Witnessed::InGroup, TERM, at(0));
        held.hold('a', Some((TERM, Reach::Group)), at(0));
        held.hold('b', Some((TERM, Reach::Group)), at(0));
        assert_eq!(held.decide(at(0)), []);
        assert_eq!(held.give_up(), ['a', 'b']);
        assert_eq!(held.due(), None);
    }
}
