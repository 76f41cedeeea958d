//! Entries by destination, no more than there is room for.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::entry::Entry;

/// An entry that was used within this time counts as just used, so that a busy destination isn't moved with each connection.
const FRESH: Duration = Duration::from_secs(1);

/// A bounded map. What keeps connections plain is worth more than the rest, and is never given up for it.
#[derive(Debug)]
pub(super) struct Table {
    capacity: usize,
    entries: HashMap<IpAddr, Slot>,
    /// The first is the first to make room.
    by_worth: BTreeSet<(Worth, IpAddr)>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    entry: Entry,
    worth: Worth,
}

/// In this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// The entry never kept a connection plain, and was last used then.
    Used(Instant),
    /// It keeps connections plain until then, or did.
    Plain(Instant),
}

impl Table {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: HashMap::new(),
            by_worth: BTreeSet::new(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, destination: IpAddr) -> Option<&Entry> {
        let slot = self.entries.get(&destination.to_canonical())?;
        Some(&slot.entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, &Entry)> {
        self.entries
            .iter()
            .map(|(destination, slot)| (*destination, &slot.entry))
    }

    /// Changes a destination's entry, or makes one if there is room.
    pub(super) fn change(&mut self, destination: IpAddr, now: Instant, change: impl FnOnce(&mut Entry)) {
        let destination = destination.to_canonical();
        if let Some(slot) = self.entries.get_mut(&destination) {
            change(&mut slot.entry);
            let worth = Worth::of(&slot.entry, now);
            if !worth.is_nearly(slot.worth) {
                self.by_worth.remove(&(slot.worth, destination));
                self.by_worth.insert((worth, destination));
                slot.worth = worth;
            }
            return;
        }
        let mut entry = Entry::default();
        change(&mut entry);
        let worth = Worth::of(&entry, now);
        if self.make_room(worth, now) {
            self.entries.insert(destination, Slot { entry, worth });
            self.by_worth.insert((worth, destination));
        }
    }

    pub(super) fn remove(&mut self, destination: IpAddr) {
        let destination = destination.to_canonical();
        if let Some(slot) = self.entries.remove(&destination) {
            self.by_worth.remove(&(slot.worth, destination));
        }
    }

    /// Whether there is room for one more that is worth so much.
    fn make_room(&mut self, newcomer: Worth, now: Instant) -> bool {
        if self.entries.len() < self.capacity {
            return true;
        }
        match (self.by_worth.first(), newcomer) {
            (None, _) => false,
            (Some((Worth::Plain(until), _)), Worth::Used(_)) if now < *until => false,
            (Some((_, evicted)), _) => {
                let evicted = *evicted;
                self.remove(evicted);
                true
            }
        }
    }
}

impl Worth {
    fn of(entry: &Entry, now: Instant) -> Self {
        match entry.pause() {
            Some(pause) => Self::Plain(pause.until),
            None => Self::Used(now),
        }
    }

    fn is_nearly(self, other: Self) -> bool {
        match (self, other) {
            (Self::Used(one), Self::Used(other)) => one.saturating_duration_since(other) < FRESH,
            _ => self == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::lesson::FastSyn;
    use super::super::entry::LONGEST_PAUSE;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    impl Table {
        fn took(&mut self, last: u8, now: Instant) {
            self.change(ip(last), now, |entry| {
                entry.learn(FastSyn::Taken { sent: now }, None, now);
            });
        }

        fn was_reset(&mut self, last: u8, now: Instant) {
            self.change(ip(last), now, |entry| {
                entry.learn(FastSyn::Reset { sent: now }, None, now);
            });
        }

        fn known<const N: usize>(&self, hosts: [u8; N]) -> [bool; N] {
            hosts.map(|last| self.get(ip(last)).is_some())
        }
    }

    #[test]
    fn a_mapped_address_is_the_same_destination() {
        let mut table = Table::new(10);
        let now = Instant::now();
        table.change("::ffff:192.0.2.1".parse().unwrap(), now, |entry| entry.died(now));
        assert!(table.get(ip(1)).is_some());
        table.remove("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn the_one_whose_pause_ends_first_makes_room() {
        let mut table = Table::new(2);
        let now = Instant::now();
        for last in [1, 2, 3] {
            table.was_reset(last, now + u32::from(last) * SECOND);
        }
        assert_eq!(table.known([1, 2, 3]), [false, true, true]);
    }

    #[test]
    fn the_good_one_that_was_not_used_for_longest_makes_room_first() {
        let mut table = Table::new(3);
        let now = Instant::now();
        table.was_reset(1, now);
        table.took(2, now);
        table.took(3, now + SECOND);
        table.took(2, now + 2 * SECOND);
        table.took(4, now + 3 * SECOND);
        assert_eq!(table.known([1, 2, 3, 4]), [true, true, false, true]);
        table.was_reset(5, now + 4 * SECOND);
        assert_eq!(table.known([1, 2, 4, 5]), [true, false, true, true]);
    }

    #[test]
    fn good_ones_never_take_the_place_of_a_pause() {
        let mut table = Table::new(2);
        let now = Instant::now();
        table.was_reset(1, now);
        table.was_reset(2, now + SECOND);
        table.took(3, now + 59 * SECOND);
        assert_eq!(table.known([1, 2, 3]), [true, true, false]);
        table.took(3, now + 60 * SECOND);
        assert_eq!(
            table.known([1, 2, 3]),
            [false, true, true],
            "but that of one that is over"
        );
    }

    #[test]
    fn a_memory_without_room_remembers_nothing() {
        let mut table = Table::new(0);
        table.was_reset(1, Instant::now());
        assert_eq!(table.len(), 0);
    }

    proptest! {
        #[test]
        fn it_never_outgrows_its_bound_and_never_pauses_for_more_than_a_day(
            events in prop::collection::vec((0_u8..20, 0_u64..200_000, 0_u8..4), 0..200),
            capacity in 0_usize..8,
        ) {
            let mut table = Table::new(capacity);
            let mut now = Instant::now();
            for (last, seconds, event) in events {
                now += Duration::from_secs(seconds);
                match event {
                    0 => table.took(last, now),
                    1 => table.was_reset(last, now),
                    2 => table.change(ip(last), now, Entry::answered),
                    _ => table.remove(ip(last)),
                }
                prop_assert!(table.len() <= capacity);
                prop_assert_eq!(table.len(), table.by_worth.len());
                let plain = table.get(ip(last)).is_some_and(|entry| entry.plain_until(now).is_some());
                prop_assert!(event != 1 || plain == (capacity > 0));
                for (worth, destination) in &table.by_worth {
                    let slot = &table.entries[destination];
                    prop_assert_eq!(slot.worth, *worth);
                    if let Some(pause) = slot.entry.pause() {
                        prop_assert_eq!(*worth, Worth::Plain(pause.until));
                        prop_assert!(pause.until <= now + LONGEST_PAUSE);
                    }
                }
            }
        }
    }
}
