//! The memory of what paths do to fast SYNs.
//!
//! `entry` is what one path has shown, and the decisions; `table` keeps the entries within bounds.

mod entry;
#[cfg(test)]
mod simulation;
mod table;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::entry::Entry;
use self::table::Table;
use super::lesson::Lesson;
use super::round_trip::RoundTrip;

/// Remembers for each destination what the path to it has done to Fast Open, and leaves alone the paths on which it fails.
///
/// **How much a failure teaches depends on what the path has shown.** A fast SYN was lost, and a plain one was answered:
///
/// - where no data was ever taken, the destination is connected to plainly from then on, for a minute;
/// - where data was taken before, it takes several losses in a row with none taken between them (three; four where single ones were
///   lost before), since packets are lost everywhere. Until then a plain attempt joins sooner. Connections that were lost in one outage
///   count as one.
///
/// A reset is enough anywhere, and so is a connection that [died](Self::report_dead) after its handshake. A SYN that is lost while plain
/// ones are lost too, as at an overloaded server, teaches nothing.
///
/// After the pause Fast Open is tried again, and if it fails again the next pause is twice as long, up to a day. A success ends the
/// memory of failures. The kernel keeps no such memory: it would try a fast SYN every time.
///
/// It also keeps the round-trip time, from which follows [when a plain attempt joins](crate::Connector::with_delay).
///
/// Like the kernel's cookies it goes by IP address, for what breaks a fast SYN stands on the path to the host, whatever the port. It is
/// bounded: when it is full, the destination that works and was not used for longest makes room, then the one whose pause ends first.
/// A clone is another handle to the same memory.
#[derive(Clone, Debug)]
pub struct PathMemory(Arc<Mutex<Table>>);

/// What a [`PathMemory`] knows of one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PathEntry {
    /// The destination; an IPv4-mapped address as the IPv4 address.
    pub destination: IpAddr,
    /// Until when it is connected to plainly, if it is at present.
    pub plain_until: Option<Instant>,
    /// How many fast SYNs in a row were lost since one was taken; 0 again when that has led to a pause.
    pub losses_in_a_row: u32,
    /// Whether data in a SYN was taken since the last pause.
    pub took_data: bool,
    /// The round-trip time, smoothed over the connections so far; before the first, the kernel's own.
    pub rtt: Option<Duration>,
}

/// What is to be done about one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advice {
    /// Whether to leave Fast Open alone.
    pub(crate) plain: bool,
    /// How long a fast SYN has to be answered, where the round-trip time is known.
    pub(crate) plain_delay: Option<Duration>,
}

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

    /// How many destinations it remembers, those that work included.
    pub fn len(&self) -> usize {
        self.with(|table| table.len())
    }

    /// Whether it remembers nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What it remembers, in no particular order.
    ///
    /// # Examples
    /// ```
    /// use fastopen::PathMemory;
    ///
    /// for path in PathMemory::process_wide().entries() {
    ///     if let Some(until) = path.plain_until {
    ///         println!("{}: plain for another {:?}", path.destination, until - std::time::Instant::now());
    ///     }
    /// }
    /// ```
    pub fn entries(&self) -> Vec<PathEntry> {
        let now = Instant::now();
        self.with(|table| {
            table
                .iter()
                .map(|(destination, entry)| PathEntry {
                    destination,
                    plain_until: entry.plain_until(now),
                    losses_in_a_row: entry.losses_in_a_row().into(),
                    took_data: entry.has_taken_data(),
                    rtt: entry.round_trip.map(RoundTrip::smoothed),
                })
                .collect()
        })
    }

    /// Until when `destination` is connected to plainly, if it is at present.
    pub fn plain_until(&self, destination: IpAddr) -> Option<Instant> {
        let now = Instant::now();
        self.with(|table| table.get(destination)?.plain_until(now))
    }

    /// Reports a connection that died: its first bytes were [accepted](crate::Outcome::Accepted), and then nothing was received on it.
    ///
    /// Some networks let a handshake pass and then drop whatever follows on a connection whose SYN carried data. The handshake
    /// can't show that; a caller that waits for an answer and gets none can. The destination is connected to plainly from then on: for a minute, and
    /// twice as long each time that it is reported again after Fast Open was tried again.
    ///
    /// `LazyStream` and the connectors for hyper and rustls report it themselves. For the plain streams of
    /// [`connect`](crate::connect()) the caller has to.
    ///
    /// # Examples
    /// ```no_run
    /// use std::io::Read;
    /// use std::time::Duration;
    /// use fastopen::{Outcome, PathMemory, ReplaySafe};
    ///
    /// let (mut stream, outcome) = fastopen::connect("example.com:80", ReplaySafe("GET / HTTP/1.0\r\n\r\n"))?.into();
    /// stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    /// let mut answer = [0; 4096];
    /// if stream.read(&mut answer).is_err() && outcome == Outcome::Accepted {
    ///     PathMemory::process_wide().report_dead(stream.peer_addr()?.ip());
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn report_dead(&self, destination: IpAddr) {
        let now = Instant::now();
        self.with(|table| table.change(destination, now, |entry| entry.died(now)));
    }

    /// Forgets one destination, so that the next connection to it tries Fast Open again.
    pub fn forget(&self, destination: IpAddr) {
        self.with(|table| table.remove(destination));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.with(|table| *table = Table::new(table.capacity()));
    }

    pub(crate) fn advice(&self, destination: IpAddr, now: Instant) -> Advice {
        self.with(|table| table.get(destination).map(|entry| Advice::of(entry, now)))
            .unwrap_or_default()
    }

    pub(crate) fn learn(&self, lesson: &Lesson, now: Instant) {
        self.with(|table| {
            table.change(lesson.destination, now, |entry| {
                entry.learn(lesson.fast_syn, lesson.rtt, now);
            });
        });
    }

    /// Asks `elsewhere` for a destination's round-trip time, once for each that it has no entry for; then it has one. Gives the delay
    /// that follows.
    pub(crate) fn ask_for_rtt(
        &self,
        destination: IpAddr,
        now: Instant,
        elsewhere: impl FnOnce(IpAddr) -> Option<Duration>,
    ) -> Option<Duration> {
        // Nothing would be remembered of the answer.
        if self.with(|table| table.capacity() == 0 || table.get(destination).is_some()) {
            return None;
        }
        let round_trip = elsewhere(destination).map(RoundTrip::new);
        self.with(|table| {
            table.change(destination, now, |entry| {
                entry.round_trip = entry.round_trip.or(round_trip);
            });
        });
        round_trip.map(RoundTrip::plain_delay)
    }

    /// Something was received on a connection whose SYN carried data.
    #[cfg(feature = "tokio")]
    pub(crate) fn answered(&self, destination: IpAddr) {
        let now = Instant::now();
        self.with(|table| table.change(destination, now, Entry::answered));
    }

    /// Whether anything was ever received on a connection whose SYN carried data.
    #[cfg(feature = "tokio")]
    pub(crate) fn has_answered(&self, destination: IpAddr) -> bool {
        self.with(|table| table.get(destination).is_some_and(Entry::has_answered))
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

impl Advice {
    fn of(entry: &Entry, now: Instant) -> Self {
        let delay = match entry.is_suspect() {
            true => RoundTrip::plain_delay_of_suspect,
            false => RoundTrip::plain_delay,
        };
        Self {
            plain: entry.plain_until(now).is_some(),
            plain_delay: entry.round_trip.map(delay),
        }
    }
}
