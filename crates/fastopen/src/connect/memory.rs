//! The memory of paths on which Fast Open fails.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::outcome::Outcome;

/// How long a destination stays plain after the first failure; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest that a destination stays plain.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Remembers the destinations to which a fast SYN was lost, reset or left unanswered while a plain one connected.
///
/// Such a destination is connected to plainly for a minute. Then Fast Open is tried again, and if it fails again the pause doubles, up
/// to a day. A success ends the memory of it. The kernel keeps no such memory: it would try a fast SYN every time.
///
/// Like the kernel's cookies it goes by IP address, for what breaks a fast SYN stands on the path to the host, whatever the port. It is
/// bounded; when it is full, the destination whose pause ends first makes room. A clone is another handle to the same memory.
#[derive(Clone, Debug)]
pub struct PathMemory(Arc<Mutex<Table>>);

impl PathMemory {
    /// How many destinations a [`Default`] memory holds.
    pub const DEFAULT_CAPACITY: usize = 4096;

    /// An empty memory that holds at most `capacity` destinations.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Table::new(capacity))))
    }

    /// The memory that every [`Connector`](crate::Connector) in this process uses unless it is given another.
    pub fn process_wide() -> Self {
        static SHARED: LazyLock<PathMemory> = LazyLock::new(PathMemory::default);
        SHARED.clone()
    }

    /// How many destinations it remembers.
    pub fn len(&self) -> usize {
        self.with(|table| table.entries.len())
    }

    /// Whether it remembers nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Until when `destination` is connected to plainly, if it is at present.
    pub fn plain_until(&self, destination: IpAddr) -> Option<Instant> {
        let now = Instant::now();
        self.with(|table| table.plain_until(destination, now))
    }

    /// Forgets one destination, so that the next connection to it tries Fast Open again.
    pub fn forget(&self, destination: IpAddr) {
        self.with(|table| table.forget(destination));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.with(|table| *table = Table::new(table.capacity));
    }

    pub(crate) fn learn(&self, lesson: &Lesson, now: Instant) {
        self.with(|table| match lesson.fast_open_works {
            true => table.forget(lesson.destination),
            false => table.fail(lesson.destination, now),
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        // A panic can't leave the table half changed in a way that matters: at worst a destination is tried once more.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for PathMemory {
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

/// What a connection taught of the path to its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lesson {
    pub(crate) destination: IpAddr,
    pub(crate) fast_open_works: bool,
}

impl Lesson {
    /// Only a clear success or failure teaches anything: without a cookie nothing was risked, and ignored data cost no time.
    pub(crate) fn from_outcome(destination: IpAddr, outcome: Outcome) -> Option<Self> {
        let fast_open_works = match outcome {
            Outcome::Accepted => true,
            Outcome::SynLost => false,
            _ => return None,
        };
        Some(Self {
            destination,
            fast_open_works,
        })
    }
}

#[derive(Debug)]
struct Table {
    capacity: usize,
    entries: HashMap<IpAddr, Entry>,
    by_end: BTreeSet<(Instant, IpAddr)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    plain_until: Instant,
    pause: Duration,
}

impl Table {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: HashMap::new(),
            by_end: BTreeSet::new(),
        }
    }

    fn plain_until(&self, destination: IpAddr, now: Instant) -> Option<Instant> {
        let entry = self.entries.get(&destination.to_canonical())?;
        (now < entry.plain_until).then_some(entry.plain_until)
    }

    fn fail(&mut self, destination: IpAddr, now: Instant) {
        let destination = destination.to_canonical();
        let pause = match self.remove(destination) {
            // Connections that failed together are one failure.
            Some(entry) if now < entry.plain_until => return self.insert(destination, entry),
            Some(entry) => (entry.pause * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.insert(
            destination,
            Entry {
                plain_until: now + pause,
                pause,
            },
        );
    }

    fn forget(&mut self, destination: IpAddr) {
        self.remove(destination.to_canonical());
    }

    fn insert(&mut self, destination: IpAddr, entry: Entry) {
        if self.capacity == 0 {
            return;
        }
        while self.entries.len() >= self.capacity {
            let Some((_, evicted)) = self.by_end.pop_first() else {
                break;
            };
            self.entries.remove(&evicted);
        }
        self.entries.insert(destination, entry);
        self.by_end.insert((entry.plain_until, destination));
    }

    fn remove(&mut self, destination: IpAddr) -> Option<Entry> {
        let entry = self.entries.remove(&destination)?;
        self.by_end.remove(&(entry.plain_until, destination));
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_failure_pauses_for_a_minute_and_then_for_twice_as_long_up_to_a_day() {
        let mut table = Table::new(10);
        let mut now = Instant::now();
        let mut pause = MINUTE;
        for _ in 0..20 {
            table.fail(ip(1), now);
            assert_eq!(table.plain_until(ip(1), now), Some(now + pause));
            assert_eq!(table.plain_until(ip(1), now + pause), None);
            now += pause;
            pause = (pause * 2).min(24 * 60 * MINUTE);
        }
        assert_eq!(pause, 24 * 60 * MINUTE);
    }

    #[test]
    fn failures_during_the_pause_do_not_lengthen_it() {
        let mut table = Table::new(10);
        let now = Instant::now();
        table.fail(ip(1), now);
        table.fail(ip(1), now + MINUTE / 2);
        assert_eq!(table.plain_until(ip(1), now), Some(now + MINUTE));
    }

    #[test]
    fn a_success_begins_anew() {
        let mut table = Table::new(10);
        let now = Instant::now();
        table.fail(ip(1), now);
        table.fail(ip(1), now + MINUTE);
        table.forget(ip(1));
        table.fail(ip(1), now + MINUTE);
        assert_eq!(table.plain_until(ip(1), now + MINUTE), Some(now + 2 * MINUTE));
    }

    #[test]
    fn a_mapped_address_is_the_same_destination() {
        let mut table = Table::new(10);
        let now = Instant::now();
        table.fail("::ffff:192.0.2.1".parse().unwrap(), now);
        assert!(table.plain_until(ip(1), now).is_some());
    }

    #[test]
    fn the_one_whose_pause_ends_first_makes_room() {
        let mut table = Table::new(2);
        let now = Instant::now();
        for (i, last) in [1, 2, 3].into_iter().enumerate() {
            table.fail(ip(last), now + Duration::from_secs(i as u64));
        }
        let later = now + Duration::from_secs(3);
        assert_eq!(
            [1, 2, 3].map(|last| table.plain_until(ip(last), later).is_some()),
            [false, true, true]
        );
    }

    #[test]
    fn a_memory_without_room_remembers_nothing() {
        let mut table = Table::new(0);
        table.fail(ip(1), Instant::now());
        assert!(table.entries.is_empty());
    }

    proptest! {
        #[test]
        fn it_never_outgrows_its_bound_and_never_pauses_for_more_than_a_day(
            events in prop::collection::vec((0_u8..20, 0_u64..200_000, any::<bool>()), 0..200),
            capacity in 0_usize..8,
        ) {
            let mut table = Table::new(capacity);
            let mut now = Instant::now();
            for (last, seconds, worked) in events {
                now += Duration::from_secs(seconds);
                if worked { table.forget(ip(last)) } else { table.fail(ip(last), now) }
                prop_assert!(table.entries.len() <= capacity);
                prop_assert_eq!(table.entries.len(), table.by_end.len());
                prop_assert_eq!(table.plain_until(ip(last), now).is_some(), !worked && capacity > 0);
                for (end, destination) in &table.by_end {
                    prop_assert_eq!(table.entries[destination].plain_until, *end);
                    prop_assert!(*end <= now + LONGEST_PAUSE);
                }
            }
        }
    }
}
