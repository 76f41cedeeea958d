//! The odds: probing simulated paths with random losses, many times.

use std::time::Duration;

use fastopen::{Outcome, Reason};
use fastopen_wire::Cookie;

use super::super::verdict::Verdict;
use super::*;
use crate::stats::Random;
use crate::timed::{Answer, Failure, Made};

const PROBES: usize = 2000;

fn cookie(number: usize) -> Cached {
    Cached::Cookie(Cookie::new(&[number as u8 + 1; 8]).unwrap())
}

/// A path that loses a handshake's packets with a probability in percent, to a farm that deals at random to servers with these keys.
struct World<'a> {
    lost_percent: usize,
    keys: &'a [usize],
}

impl World<'_> {
    fn probe(&self, wanted: usize, random: &mut Random) -> Verdict {
        let mut evidence = Evidence::new(Machine::Ready, false);
        let mut cached = Cached::Nothing;
        while let Some(way) = next(&evidence, wanted) {
            let trial = self.connect(way, cached, random);
            cached = trial.after;
            evidence.trials.push(trial);
        }
        judge(&evidence).verdict
    }

    fn connect(&self, way: Way, before: Cached, random: &mut Random) -> Trial {
        let lost = random.below(100) < self.lost_percent;
        let own = cookie(self.keys[random.below(self.keys.len())]);
        let (outcome, after) = match (way, before) {
            (Way::Plain, _) => (Outcome::NotAttempted(Reason::Policy), before),
            // What is sent again has no option.
            (Way::Fast, Cached::Cookie(_)) if lost => (Outcome::SynLost, before),
            (Way::Fast, Cached::Cookie(_)) if before == own => (Outcome::Accepted, before),
            (Way::Fast, Cached::Cookie(_)) => (Outcome::Ignored, own),
            (Way::Fast, _) => (Outcome::NoCookie, if lost { Cached::Nothing } else { own }),
        };
        let made = Made {
            syn_bytes: if before.cookie().is_some() && way == Way::Fast {
                90
            } else {
                0
            },
            syn_repeated: Some(lost),
            ..Made::sample(outcome, Answer::Bytes(Duration::from_millis(40)))
        };
        Trial {
            way,
            result: Ok::<_, Failure>(made),
            before,
            after,
            wire: None,
        }
    }

    /// How often each verdict is reached, in percent.
    fn share(&self, wanted: usize, which: impl Fn(Verdict) -> bool) -> f64 {
        let mut random = Random::new(7);
        let found = (0..PROBES)
            .filter(|_| which(self.probe(wanted, &mut random)))
            .count();
        100.0 * found as f64 / PROBES as f64
    }
}

#[test]
fn silence_is_tried_again_and_a_refusal_is_an_answer() {
    let connected = || {
        let policy = Outcome::NotAttempted(Reason::Policy);
        Ok(Made::sample(policy, Answer::Bytes(Duration::from_millis(40))))
    };
    let silent = || Err(Failure::Unanswered);
    let refused = || Err(Failure::Refused);
    for (results, goes_on) in [
        (vec![silent()], true),
        (vec![silent(), silent()], true),
        (vec![silent(), silent(), silent()], false),
        (vec![silent(), silent(), connected()], true),
        (vec![refused()], false),
        (vec![silent(), refused()], false),
        (vec![connected(), refused()], true),
        (vec![connected(), refused(), refused()], false),
        (vec![connected(), silent(), silent()], true),
    ] {
        let evidence = Evidence {
            trials: results.clone().into_iter().map(Trial::plain).collect(),
            ..Evidence::new(Machine::Ready, false)
        };
        assert_eq!(next(&evidence, 3).is_some(), goes_on, "{results:?}");
    }
}

#[test]
fn a_lossy_path_is_not_taken_for_a_hostile_one() {
    for lost_percent in [1, 5, 20, 30] {
        let world = World {
            lost_percent,
            keys: &[1],
        };
        let blamed = world.share(3, |verdict| {
            !matches!(verdict, Verdict::Works | Verdict::Inconclusive)
        });
        assert!(blamed < 2.0, "{blamed} % at {lost_percent} %");
    }
    let usual = World {
        lost_percent: 5,
        keys: &[1],
    };
    assert!(usual.share(3, |verdict| verdict == Verdict::Works) > 99.0);
}

#[test]
fn an_odd_key_shows_as_often_as_the_report_says() {
    let farm = World {
        lost_percent: 0,
        keys: &[1, 1, 2],
    };
    for (wanted, at_least) in [(3, 70.0), (8, 95.0), (20, 99.5)] {
        let shown = farm.share(wanted, |verdict| verdict != Verdict::Works);
        assert!(shown >= at_least, "{shown} % with {wanted}");
    }
}

#[test]
fn what_shows_is_followed_up_to_a_verdict() {
    let farm = World {
        lost_percent: 0,
        keys: &[1, 1, 2],
    };
    let undecided = farm.share(3, |verdict| verdict == Verdict::Inconclusive);
    assert!(undecided < 2.0, "{undecided} %");
    let shared = World {
        lost_percent: 0,
        keys: &[1, 1, 1],
    };
    assert_eq!(shared.share(3, |verdict| verdict == Verdict::Works), 100.0);
}

fn silent(way: Way) -> Trial {
    let outcome = match way {
        Way::Plain => Outcome::NotAttempted(Reason::Policy),
        Way::Fast => Outcome::Accepted,
    };
    Trial {
        way,
        result: Ok(Made::sample(outcome, Answer::Silent)),
        before: cookie(1),
        after: cookie(1),
        wire: None,
    }
}

#[test]
fn a_silent_server_is_waited_for_once_and_left_soon() {
    let patience = Duration::from_secs(5);
    let mut evidence = Evidence::new(Machine::Ready, false);
    let mut waited = Duration::ZERO;
    while let Some(way) = next(&evidence, 3) {
        waited += silence(&evidence, way, patience);
        evidence.trials.push(silent(way));
    }
    assert!(evidence.trials.len() <= 8, "{}", evidence.trials.len());
    assert!(waited < Duration::from_secs(13), "{waited:?}");
}

#[test]
fn a_slow_server_gets_the_time_that_it_takes() {
    let patience = Duration::from_secs(5);
    let mut evidence = Evidence::new(Machine::Ready, false);
    let slow = Made::sample(
        Outcome::NotAttempted(Reason::Policy),
        Answer::Bytes(Duration::from_secs(2)),
    );
    evidence.trials.push(Trial {
        result: Ok(slow),
        ..silent(Way::Plain)
    });
    assert_eq!(silence(&evidence, Way::Fast, patience), patience);
    evidence.trials.push(silent(Way::Fast));
    assert_eq!(
        silence(&evidence, Way::Fast, patience),
        patience,
        "four times its time is more"
    );
    assert_eq!(silence(&evidence, Way::Plain, patience), patience);
}

#[test]
fn pauses_are_not_multiples_of_anything() {
    let starts: Vec<_> = (1..9)
        .scan(0, |sum, n| {
            *sum += pause(n).as_millis();
            Some(*sum % 64)
        })
        .collect();
    let mut different = starts.clone();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() >= 6, "{starts:?}");
}
