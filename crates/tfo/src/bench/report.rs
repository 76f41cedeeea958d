//! What `tfo bench` says, as a value. Its JSON form is described by `schemas/bench.json`.

use std::net::SocketAddr;

use serde::Serialize;

use super::pair::Pair;
use super::range::{Range, rounded};
use super::reliability::Reliability;
use crate::stats::{Medians, Random, mean, median, quantile};
use crate::status::Status;
use crate::timed::{Service, Target};

/// How many times the pairs are drawn again for the intervals.
const RESAMPLES: usize = if cfg!(test) { 500 } else { 10_000 };
/// With fewer pairs an interval means little.
const ENOUGH: usize = 8;

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) target: String,
    pub(super) service: Service,
    pub(super) address: Option<SocketAddr>,
    pub(super) first_bytes: usize,
    pub(super) seed: u64,
    /// What it came to.
    pub(super) verdict: Verdict,
    /// The median time with Fast Open divided by the one without.
    pub(super) ratio: Option<Range>,
    /// The median time without Fast Open less the one with it.
    pub(super) saved_ms: Option<Range>,
    pub(super) plain: Option<Times>,
    pub(super) fast: Option<Times>,
    /// How many connections of each kind failed or lost their SYN.
    pub(super) reliability: Reliability,
    /// How many pairs were answered on both connections.
    pub(super) complete: usize,
    /// How many of the fast connections in them were accepted.
    pub(super) accepted: usize,
    /// How many of all fast connections were accepted, answered or not.
    pub(super) accepted_in_all: usize,
    /// How many pairs were asked for.
    pub(super) wanted: u32,
    pub(super) interrupted: bool,
    /// Why there is nothing to measure.
    #[serde(rename = "error")]
    pub(super) failure: Option<String>,
    #[serde(rename = "samples")]
    pub(super) pairs: Vec<Pair>,
    /// What is sent first, in words.
    #[serde(skip)]
    pub(super) request: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// The answer comes sooner with Fast Open.
    Sooner,
    /// It comes later.
    Later,
    /// Fast connections fail or lose their SYN more often than plain ones.
    LessReliable,
    /// They did, and chance may explain it.
    PerhapsLessReliable,
    /// The interval includes no difference.
    NoDifference,
    /// No fast connection was accepted, so that there was nothing to measure.
    NotAccepted,
    /// There are too few pairs.
    TooFew,
    /// There was no connection.
    Unreachable,
}

/// The times of one kind of connection, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Times {
    pub(super) mean_ms: f64,
    pub(super) median_ms: f64,
    pub(super) p10_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p99_ms: f64,
}

impl Report {
    pub(super) fn new(
        target: &Target,
        request: &'static str,
        first_bytes: usize,
        wanted: u32,
        seed: u64,
    ) -> Self {
        Self {
            target: target.to_string(),
            service: target.service,
            address: None,
            first_bytes,
            seed,
            verdict: Verdict::Unreachable,
            ratio: None,
            saved_ms: None,
            plain: None,
            fast: None,
            reliability: Reliability::of(&[]),
            complete: 0,
            accepted: 0,
            accepted_in_all: 0,
            wanted,
            interrupted: false,
            failure: None,
            pairs: Vec::new(),
            request,
        }
    }

    /// Draws the conclusions from the pairs.
    pub(super) fn conclude(&mut self, random: &mut Random) {
        let times = self.times();
        self.complete = times.len();
        let accepted = self.pairs.iter().filter(|pair| pair.outcome == Some("accepted"));
        self.accepted = accepted.clone().filter(|pair| pair.times().is_some()).count();
        self.accepted_in_all = accepted.count();
        let medians = Medians::of(&times, RESAMPLES, random);
        self.ratio = medians.as_ref().and_then(Medians::ratio).map(Range::from);
        self.saved_ms = medians.as_ref().and_then(Medians::difference).map(|less| Range {
            estimate: rounded(-less.estimate),
            low: rounded(-less.high),
            high: rounded(-less.low),
        });
        let (fast, plain): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        (self.fast, self.plain) = (Times::of(&fast), Times::of(&plain));
        self.reliability = Reliability::of(&self.pairs);
        self.verdict = self.judge();
    }

    fn judge(&self) -> Verdict {
        match self.ratio {
            _ if self.address.is_none() => Verdict::Unreachable,
            _ if self.reliability.fast_is_worse() => Verdict::LessReliable,
            _ if self.accepted_in_all == 0 && !self.pairs.is_empty() => Verdict::NotAccepted,
            Some(ratio) if self.complete >= ENOUGH => match (ratio.high < 1.0, ratio.low > 1.0) {
                (_, true) => Verdict::Later,
                _ if self.reliability.fast_may_be_worse() => Verdict::PerhapsLessReliable,
                (true, _) => Verdict::Sooner,
                _ => Verdict::NoDifference,
            },
            _ => Verdict::TooFew,
        }
    }

    /// The times with and without Fast Open in milliseconds, of pairs in which both connections were answered.
    pub(super) fn times(&self) -> Vec<(f64, f64)> {
        self.pairs.iter().filter_map(Pair::times).collect()
    }

    /// The exit status that it comes to.
    pub(super) fn status(&self) -> Status {
        match self.verdict {
            Verdict::Sooner => Status::Works,
            Verdict::Later | Verdict::LessReliable | Verdict::NotAccepted => Status::Fails,
            Verdict::Unreachable if self.interrupted => Status::Inconclusive,
            Verdict::Unreachable => Status::Fails,
            Verdict::NoDifference | Verdict::PerhapsLessReliable | Verdict::TooFew => Status::Inconclusive,
        }
    }
}

impl Times {
    fn of(times: &[f64]) -> Option<Self> {
        Some(Self {
            mean_ms: rounded(mean(times)?),
            median_ms: rounded(median(times)?),
            p10_ms: rounded(quantile(times, 0.1)?),
            p90_ms: rounded(quantile(times, 0.9)?),
            p99_ms: rounded(quantile(times, 0.99)?),
        })
    }
}

/// A measurement with these times in milliseconds, fast and plain.
#[cfg(test)]
pub(super) fn sample(times: impl IntoIterator<Item = (f64, f64)>) -> Report {
    let time = |ms: f64| Some(std::time::Duration::from_secs_f64(ms / 1000.0));
    let mut report = Report::new(&"192.0.2.2:80".parse().unwrap(), "HTTP request", 88, 50, 1);
    report.address = Some("192.0.2.2:80".parse().unwrap());
    report.pairs = times
        .into_iter()
        .enumerate()
        .map(|(number, (fast, plain))| Pair {
            fast_first: number % 2 == 0,
            plain: time(plain),
            fast: time(fast),
            plain_syn_lost: false,
            fast_syn_lost: false,
            outcome: Some("accepted"),
            syn_bytes: 88,
        })
        .collect();
    report.conclude(&mut Random::new(1));
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_decides() {
        let halved = sample((0..20).map(|n| (20.0 + f64::from(n % 5), 40.0 + f64::from(n % 7))));
        assert_eq!(
            (halved.verdict, halved.status()),
            (Verdict::Sooner, Status::Works)
        );
        let saved = halved.saved_ms.unwrap();
        assert!(
            saved.low <= saved.estimate && saved.estimate <= saved.high && saved.low > 15.0,
            "{saved:?}"
        );
        let doubled = sample((0..20).map(|n| (40.0 + f64::from(n % 5), 20.0 + f64::from(n % 7))));
        assert_eq!(
            (doubled.verdict, doubled.status()),
            (Verdict::Later, Status::Fails)
        );
        let same = sample((0..20).map(|n| (20.0 + f64::from(n % 5), 20.0 + f64::from((n + 2) % 5))));
        assert_eq!(
            (same.verdict, same.status()),
            (Verdict::NoDifference, Status::Inconclusive)
        );
        let few = sample([(20.0, 40.0); 3]);
        assert_eq!(few.verdict, Verdict::TooFew);
    }

    #[test]
    fn without_an_accepted_connection_there_is_nothing_to_compare() {
        let mut report = sample([(20.0, 40.0); 20]);
        report
            .pairs
            .iter_mut()
            .for_each(|pair| pair.outcome = Some("ignored"));
        report.conclude(&mut Random::new(1));
        assert_eq!((report.verdict, report.accepted), (Verdict::NotAccepted, 0));
    }

    #[test]
    fn what_was_accepted_and_then_silent_is_not_called_unaccepted() {
        let mut report = sample([(20.0, 40.0); 2]);
        for pair in &mut report.pairs {
            (pair.fast, pair.plain) = (None, None);
        }
        report.conclude(&mut Random::new(1));
        assert_eq!(
            (report.complete, report.accepted, report.accepted_in_all),
            (0, 0, 2)
        );
        assert_eq!(report.verdict, Verdict::TooFew);
    }

    /// A path on which Fast Open halves the time, where so many of 40 pairs were changed.
    fn troubled(count: usize, change: fn(&mut Pair)) -> Report {
        let mut report = sample([(20.0, 40.0); 40]);
        report.pairs[..count].iter_mut().for_each(change);
        report.conclude(&mut Random::new(1));
        report
    }

    #[test]
    fn what_fails_more_often_is_not_sooner() {
        use Verdict::*;
        let fails: fn(&mut Pair) = |pair| pair.fast = None;
        let loses: fn(&mut Pair) = |pair| pair.fast_syn_lost = true;
        let both: fn(&mut Pair) = |pair| (pair.fast, pair.plain) = (None, None);
        let other: fn(&mut Pair) = |pair| pair.plain = None;
        for (count, change, verdict) in [
            (0, fails, Sooner),
            (1, fails, Sooner),
            (2, fails, PerhapsLessReliable),
            (6, fails, LessReliable),
            (16, fails, LessReliable),
            (40, fails, LessReliable),
            (2, loses, PerhapsLessReliable),
            (13, loses, LessReliable),
            (16, both, Sooner),
            (16, other, Sooner),
        ] {
            let report = troubled(count, change);
            assert_eq!(report.verdict, verdict, "{count}: {:?}", report.reliability);
        }
        assert_eq!(troubled(13, loses).status(), Status::Fails);
        assert_eq!(troubled(2, loses).status(), Status::Inconclusive);
    }

    #[test]
    fn both_sides_are_counted() {
        let report = troubled(16, |pair| pair.fast = None);
        let Reliability {
            plain,
            fast,
            difference,
        } = report.reliability;
        assert_eq!((plain.connections, plain.either), (40, 0));
        assert_eq!((fast.failed, fast.syn_lost, fast.either), (16, 0, 16));
        let difference = difference.unwrap();
        assert!(difference.low > 0.2 && difference.high < 0.6, "{difference:?}");
        assert_eq!((report.complete, report.times().len()), (24, 24));
    }

    /// Two samples of one distribution, with a tail as real paths have it.
    #[test]
    fn the_same_on_both_sides_is_seldom_a_difference() {
        const RUNS: u64 = 100;
        let differs = |seed: &u64| {
            let mut random = Random::new(1000 + *seed);
            let mut time = || {
                let tail = if random.below(20) == 0 { 40.0 } else { 0.0 };
                20.0 + random.below(1000) as f64 / 200.0 + tail
            };
            let report = sample((0..50).map(|_| (time(), time())));
            !matches!(report.verdict, Verdict::NoDifference)
        };
        let differ = (0..RUNS).filter(differs).count();
        assert!(differ <= 11, "{differ} of {RUNS}, 5 expected");
    }
}
