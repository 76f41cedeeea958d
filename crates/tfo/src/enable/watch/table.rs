//! Which listeners there are, and which of them have yet to be looked at more closely.
//!
//! Each is looked at once, when it is new. One that could not be switched, or that no rule fits for its owners, is looked at again, less
//! and less often: owners change when a server starts that inherits the socket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::namespace::machine::Id;

/// The first pause before another look, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// The listeners that were seen last, by their inodes, which no two sockets of a machine share.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<u64, Entry>);

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) address: SocketAddr,
    pub(super) namespace: Id,
    pub(super) uid: u32,
    state: State,
}

/// Looks that led to nothing, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Vain {
    count: u32,
    /// How many of the last ones found a rule, and could not switch the listener.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be looked at from that time on, after so many looks in vain.
    Open { at: Instant, looks: Vain },
    /// There is nothing to do.
    Settled,
    /// A rule fits it, and this is its queue.
    Switched { queue: u32 },
}

/// A listener as sock_diag tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) inode: u64,
    pub(super) address: SocketAddr,
    pub(super) uid: u32,
}

/// Listeners by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// They have Fast Open by the rules.
    pub(super) switched: usize,
    /// They wait for another look.
    pub(super) pending: usize,
    /// Those of the pending that could not be switched, again and again.
    pub(super) failed: usize,
}

impl Table {
    /// Takes the listeners that a namespace has now.
    pub(super) fn see(&mut self, namespace: Id, listeners: &[Seen], now: Instant) {
        let mut there = HashMap::with_capacity(listeners.len());
        for seen in listeners {
            let known = self.0.remove(&seen.inode);
            let known = known.filter(|entry| entry.address == seen.address && entry.namespace == namespace);
            let entry = known.unwrap_or(Entry {
                address: seen.address,
                namespace,
                uid: seen.uid,
                state: State::Open {
                    at: now,
                    looks: Vain::default(),
                },
            });
            there.insert(seen.inode, entry);
        }
        self.0.retain(|_, entry| entry.namespace != namespace);
        self.0.extend(there);
    }

    /// Forgets what was in other namespaces than these.
    pub(super) fn keep(&mut self, is_there: impl Fn(Id) -> bool) {
        self.0.retain(|_, entry| is_there(entry.namespace));
    }

    /// Looks at all of them again.
    pub(super) fn reopen(&mut self, now: Instant) {
        for entry in self.0.values_mut() {
            entry.state = State::Open {
                at: now,
                looks: Vain::default(),
            };
        }
    }

    /// Those to look at now. If there is one, all that are open: finding the owners of one or of many is the same work.
    pub(super) fn due(&self, now: Instant) -> Vec<(u64, Entry)> {
        let is_due = |entry: &Entry| matches!(entry.state, State::Open { at, .. } if at <= now);
        if !self.0.values().any(is_due) {
            return Vec::new();
        }
        let open = self
            .0
            .iter()
            .filter(|(_, entry)| matches!(entry.state, State::Open { .. }));
        let mut open: Vec<_> = open.map(|(inode, entry)| (*inode, *entry)).collect();
        open.sort_unstable_by_key(|(inode, entry)| (entry.namespace, entry.address, *inode));
        open
    }

    /// There is nothing to do about it.
    pub(super) fn settle(&mut self, inode: u64) {
        self.set(inode, State::Settled);
    }

    /// It was switched.
    pub(super) fn switched(&mut self, inode: u64, queue: u32) {
        self.set(inode, State::Switched { queue });
    }

    /// It is to be looked at again later: no rule fits it so far.
    pub(super) fn again(&mut self, inode: u64, now: Instant) {
        self.put_off(inode, now, |looks| Vain {
            count: looks.count,
            failures: 0,
        });
    }

    /// It is to be looked at again later: it could not be switched. Returns whether that is to be told: at the second look in vain, once,
    /// because at the first a listener may be gone with its program.
    pub(super) fn failed(&mut self, inode: u64, now: Instant) -> bool {
        let looks = self.put_off(inode, now, |looks| Vain {
            count: looks.count,
            failures: looks.failures.saturating_add(1),
        });
        looks.count == 2
    }

    fn put_off(&mut self, inode: u64, now: Instant, count: impl Fn(Vain) -> Vain) -> Vain {
        let before = match self.0.get(&inode) {
            Some(Entry {
                state: State::Open { looks, .. },
                ..
            }) => *looks,
            _ => Vain::default(),
        };
        let looks = count(Vain {
            count: before.count.saturating_add(1),
            ..before
        });
        let pause = FIRST.saturating_mul(1 << (looks.count - 1).min(10)).min(LONGEST);
        self.set(
            inode,
            State::Open {
                at: now + pause,
                looks,
            },
        );
        looks
    }

    /// How many there are of each kind.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.0.values() {
            match entry.state {
                State::Switched { queue: 1.. } => counts.switched += 1,
                State::Open { looks, .. } => {
                    counts.pending += 1;
                    // At the first it may be gone with its program.
                    counts.failed += usize::from(looks.failures >= 2);
                }
                State::Switched { .. } | State::Settled => {}
            }
        }
        counts
    }

    /// The namespaces in which a listener has Fast Open by the rules.
    pub(super) fn uses(&self, namespace: Id) -> bool {
        let uses = |entry: &Entry| matches!(entry.state, State::Switched { queue: 1.. });
        self.0
            .values()
            .any(|entry| entry.namespace == namespace && uses(entry))
    }

    fn set(&mut self, inode: u64, state: State) {
        if let Some(entry) = self.0.get_mut(&inode) {
            entry.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Id = (4, 1);
    const THERE: Id = (4, 2);

    fn seen(inode: u64) -> Seen {
        Seen {
            inode,
            address: SocketAddr::from(([0; 4], 80)),
            uid: 0,
        }
    }

    fn due(table: &Table, now: Instant) -> Vec<u64> {
        table.due(now).into_iter().map(|(inode, _)| inode).collect()
    }

    #[test]
    fn each_is_due_once() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.see(HERE, &[seen(1), seen(2)], now);
        assert_eq!(due(&table, now), [1, 2]);
        table.settle(1);
        table.switched(2, 5);
        table.see(HERE, &[seen(1), seen(2), seen(3)], now);
        assert_eq!(due(&table, now), [3]);
        table.settle(3);
        let counts = |table: &Table| (table.counts().switched, table.counts().pending);
        assert_eq!(counts(&table), (1, 0));
        assert!(table.uses(HERE) && !table.uses(THERE));

        // The server restarts: another socket. One that is gone is forgotten, and its number is a new one's.
        table.see(HERE, &[seen(1), seen(4)], now);
        assert_eq!((due(&table, now), counts(&table)), (vec![4], (0, 1)));
        table.see(HERE, &[seen(1), seen(2)], now);
        assert_eq!(due(&table, now), [2]);
        table.see(THERE, &[seen(1)], now);
        assert_eq!(
            due(&table, now),
            [2, 1],
            "a number that another namespace's socket has is another socket"
        );
    }

    #[test]
    fn a_namespace_does_not_touch_another_one() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.see(HERE, &[seen(1)], now);
        table.see(THERE, &[seen(2)], now);
        table.settle(1);
        table.settle(2);
        table.see(HERE, &[seen(1)], now);
        assert!(due(&table, now).is_empty());
        table.keep(|id| id == THERE);
        table.see(HERE, &[seen(1)], now);
        assert_eq!(due(&table, now), [1]);
    }

    #[test]
    fn looks_in_vain_become_rare() {
        let (mut table, start) = (Table::default(), Instant::now());
        table.see(HERE, &[seen(1)], start);
        let mut now = start;
        let (mut pauses, mut told) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            told.push(table.failed(1, now));
            let last = now;
            while due(&table, now).is_empty() {
                now += Duration::from_secs(1);
            }
            pauses.push((now - last).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let expected: Vec<_> = (1..=9).map(|look| look == 2).collect();
        assert_eq!(told, expected, "it is told at the second");
        table.reopen(now);
        assert_eq!([(); 3].map(|()| table.failed(1, now)), [false, true, false]);
    }

    #[test]
    fn what_cannot_be_switched_is_not_what_no_rule_fits() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.see(HERE, &[seen(1), seen(2)], now);
        for failed in [0, 1, 1] {
            table.again(1, now);
            table.failed(2, now);
            assert_eq!((table.counts().pending, table.counts().failed), (2, failed));
        }
        table.again(2, now);
        assert_eq!(table.counts().failed, 0);
    }

    #[test]
    fn a_look_takes_all_that_are_open_along() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.see(HERE, &[seen(1)], now);
        table.again(1, now);
        assert!(due(&table, now).is_empty());
        table.see(HERE, &[seen(1), seen(2)], now);
        assert_eq!(due(&table, now), [1, 2]);
    }
}
