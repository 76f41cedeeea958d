//! The memory at work on simulated paths: many connections, some of them at once, on a clock that takes no time.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::*;
use crate::connect::lesson::FastSyn;

const MS: Duration = Duration::from_millis(1);
/// When the kernel sends a SYN again (RFC 6298, section 2).
const KERNEL: Duration = Duration::from_secs(1);
/// The delay where nothing is known.
const DELAY: Duration = Duration::from_millis(250);
/// Twenty connections a second.
const PACE: Duration = Duration::from_millis(50);
const NINETY_SECONDS: u32 = 90 * 20;

/// A client that connects over and over again.
struct Client {
    memory: PathMemory,
    began: Instant,
    now: Instant,
    rtt: Duration,
    /// What is still under way, and when it will be known.
    lessons: Vec<(Instant, Lesson)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accepted,
    /// The plain attempt won.
    Lost,
    /// It was plain by the memory.
    Plain,
}

/// How many connections met which fate, and how long they took together.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    accepted: u32,
    lost: u32,
    plain: u32,
    time: Duration,
}

impl Tally {
    fn count(&mut self, (fate, took): (Fate, Duration)) {
        match fate {
            Fate::Accepted => self.accepted += 1,
            Fate::Lost => self.lost += 1,
            Fate::Plain => self.plain += 1,
        }
        self.time += took;
    }

    fn mean(&self) -> Duration {
        self.time / (self.accepted + self.lost + self.plain)
    }

    fn share_accepted(&self) -> f64 {
        f64::from(self.accepted) / f64::from(self.accepted + self.lost + self.plain)
    }
}

impl Client {
    fn new(memory: PathMemory, rtt: Duration) -> Self {
        let now = Instant::now();
        Self {
            memory,
            began: now,
            now,
            rtt,
            lessons: Vec::new(),
        }
    }

    fn since(&self) -> Duration {
        self.now - self.began
    }

    fn host() -> IpAddr {
        [192, 0, 2, 1].into()
    }

    /// Learns what has become known until now.
    fn catch_up(&mut self) {
        self.lessons.sort_by_key(|(at, _)| *at);
        let known = self.lessons.partition_point(|(at, _)| *at <= self.now);
        for (at, lesson) in self.lessons.drain(..known) {
            self.memory.learn(&lesson, at);
        }
    }

    /// Connects over a path that loses a SYN, fast or not, sent at a time; then lets some time pass.
    fn connect(&mut self, pace: Duration, loses: &mut impl FnMut(bool, Instant) -> bool) -> (Fate, Duration) {
        self.catch_up();
        let advice = self.memory.advice(Self::host(), self.now);
        let sent = self.now;
        let plain_sent = sent + advice.plain_delay.unwrap_or(DELAY);
        self.now += pace;
        let (fate, answered, fast_syn) = if advice.plain {
            (Fate::Plain, plain(sent, loses), FastSyn::NoLesson)
        } else if loses(true, sent) {
            let answered = plain(plain_sent, loses);
            let fast_syn = match answered == plain_sent {
                true => FastSyn::Lost { sent, plain_sent },
                false => FastSyn::NoLesson,
            };
            (Fate::Lost, answered, fast_syn)
        } else {
            (Fate::Accepted, sent, FastSyn::Taken { sent })
        };
        let ended = answered + self.rtt;
        let lesson = Lesson {
            destination: Self::host(),
            fast_syn,
            rtt: Some(self.rtt),
        };
        self.lessons.push((ended, lesson));
        (fate, ended - sent)
    }

    fn connect_often(
        &mut self,
        times: u32,
        pace: Duration,
        mut loses: impl FnMut(bool, Instant) -> bool,
    ) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..times {
            tally.count(self.connect(pace, &mut loses));
        }
        self.now += Duration::from_secs(10);
        self.catch_up();
        tally
    }
}

/// When the plain SYN left that was answered: the first one, or one of those that the kernel sends after it.
fn plain(first: Instant, loses: &mut impl FnMut(bool, Instant) -> bool) -> Instant {
    let mut sent = first;
    while loses(false, sent) {
        sent += KERNEL;
    }
    sent
}

/// Random, the same each time for the same seed (xorshift).
fn random(seed: u64, share: f64) -> impl FnMut(bool, Instant) -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64) / ((1_u64 << 53) as f64) < share
    }
}

fn hostile(fast: bool, _: Instant) -> bool {
    fast
}

fn nothing(_: bool, _: Instant) -> bool {
    false
}

/// A client whose first connection worked.
fn acquainted(rtt: Duration) -> Client {
    let mut client = Client::new(PathMemory::default(), rtt);
    client.connect_often(1, PACE, nothing);
    client
}

#[test]
fn lost_packets_cost_nothing_but_themselves() {
    for (share, rtt) in [(0.01, 20), (0.03, 20), (0.01, 120), (0.03, 120)] {
        let mut left_alone = 0;
        for seed in 0..100 {
            let with = acquainted(MS * rtt).connect_often(NINETY_SECONDS, PACE, random(seed, share));
            let without = Client::new(PathMemory::new(0), MS * rtt).connect_often(
                NINETY_SECONDS,
                PACE,
                random(seed, share),
            );
            if with.plain > 0 {
                left_alone += 1;
                continue;
            }
            assert!(with.share_accepted() > 0.95, "{with:?}");
            assert!(with.mean() <= without.mean(), "{with:?} {without:?}");
        }
        assert!(
            left_alone <= 1,
            "{share}, {rtt} ms: {left_alone} of 100 by chance"
        );
    }
}

#[test]
fn a_hostile_path_costs_one_delay_for_each_pause() {
    let mut client = Client::new(PathMemory::default(), MS * 20);
    let second = Duration::from_secs(1);
    let tally = client.connect_often(60 * 60, second, hostile);
    // The pauses end after 1, 3, 7, 15 and 31 minutes.
    assert_eq!((tally.accepted, tally.lost), (0, 6));
}

#[test]
fn a_path_that_turns_hostile_costs_three_delays_at_most() {
    for pace in [PACE, 2 * KERNEL] {
        let mut client = acquainted(MS * 20);
        let good = client.connect_often(1000, pace, nothing);
        assert_eq!(good.accepted, 1000);
        let bad = client.connect_often(50, PACE, hostile);
        assert_eq!((bad.accepted, bad.lost), (0, 3));
        client.now += 2 * MINUTE;
        let healed = client.connect_often(10, PACE, nothing);
        assert_eq!(healed.accepted, 10, "it is tried again");
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn on_a_path_that_loses_packets_it_costs_no_more() {
    for seed in 0..50 {
        let mut client = acquainted(MS * 20);
        client.connect_often(1000, 2 * PACE, random(seed, 0.03));
        client.connect_often(1, PACE, nothing);
        let entry = client.memory.entries()[0];
        let before = client.now;
        let bad = client.connect_often(10, 2 * PACE, hostile);
        assert!(before < client.now && bad.lost <= 4, "{bad:?}");
        let delay = RoundTrip::new(entry.rtt.unwrap()).plain_delay();
        let cost = bad.time - MS * 20 * 10;
        assert!(cost <= 3 * delay, "{cost:?} is more than three times {delay:?}");
    }
}

#[test]
fn an_outage_and_an_overloaded_server_teach_nothing_bad() {
    // For 300 ms of every 1.3 s no SYN is answered, whatever it is like.
    let mut client = acquainted(MS * 20);
    let began = client.began;
    let overloaded = move |_: bool, sent: Instant| (sent - began).as_millis() % 1300 < 300;
    let tally = client.connect_often(NINETY_SECONDS, PACE, overloaded);
    assert_eq!(tally.plain, 0, "{tally:?}");
    assert!(client.since() > Duration::from_secs(90));
    // And one long one.
    let until = client.now + 20 * KERNEL;
    let tally = client.connect_often(NINETY_SECONDS, PACE, |_, sent| sent < until);
    assert_eq!(tally.plain, 0, "{tally:?}");
}

#[test]
fn single_connections_hours_apart_are_no_different() {
    let mut client = acquainted(MS * 20);
    let hour = 60 * MINUTE;
    let tally = client.connect_often(200, hour, random(7, 0.1));
    assert_eq!(tally.plain, 0, "{tally:?}");
}
