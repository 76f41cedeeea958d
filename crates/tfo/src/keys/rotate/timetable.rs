//! When the keys are to be changed. Pure: the clocks are given.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that says less was never set: the first second of 2024.
const EARLIEST: Duration = Duration::from_secs(1_704_067_200);
/// How far back a clock may go before the keys are looked at again.
const STEP: Duration = Duration::from_secs(1);
/// The first pause after a failure. It doubles with each one that follows.
const RETRY: Duration = Duration::from_secs(5);
/// The longest pause after a failure.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Whether the clock was not set since the machine started, as on one without a battery.
pub(super) fn is_unset(now: SystemTime) -> bool {
    now < UNIX_EPOCH + EARLIEST
}

/// Why keys are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Start,
    Schedule,
    ClockWentBack,
    Reload,
    SecretChanged,
    Retry,
}

impl Cause {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Schedule => "schedule",
            Self::ClockWentBack => "clock-went-back",
            Self::Reload => "reload",
            Self::SecretChanged => "secret-changed",
            Self::Retry => "retry",
        }
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Wait,
    Change(Cause),
    /// With such a clock the keys would agree with no other machine's.
    ClockIsUnset,
}

/// What was done, and what comes next. Times of day may jump either way; `uptime` only grows.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    changed: Option<Change>,
    /// Why the secret is to be read again whatever the time.
    asked: Option<Cause>,
    /// The secret is being read.
    reading: bool,
    failed: Option<Failure>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    at: SystemTime,
    next: SystemTime,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    pause: Duration,
    retry: Duration,
}

impl Timetable {
    pub(super) fn decide(&self, now: SystemTime, uptime: Duration) -> Decision {
        if is_unset(now) {
            return Decision::ClockIsUnset;
        }
        if self.reading {
            return Decision::Wait;
        }
        if let Some(cause) = self.asked {
            return Decision::Change(cause);
        }
        if let Some(failed) = self.failed {
            return match uptime >= failed.retry {
                true => Decision::Change(Cause::Retry),
                false => Decision::Wait,
            };
        }
        match self.changed {
            None => Decision::Change(Cause::Start),
            Some(change) if now >= change.next => Decision::Change(Cause::Schedule),
            Some(change) if now + STEP < change.at => Decision::Change(Cause::ClockWentBack),
            Some(_) => Decision::Wait,
        }
    }

    /// How long there is nothing to do, unless a clock jumps: no longer than `most`.
    pub(super) fn pause(&self, now: SystemTime, most: Duration) -> Duration {
        let next = self
            .changed
            .filter(|_| self.failed.is_none() && !self.reading)
            .map(|change| change.next);
        next.and_then(|next| next.duration_since(now).ok())
            .map_or(most, |left| left.min(most))
    }

    /// The secret is to be read again whatever the time.
    pub(super) fn ask(&mut self, cause: Cause) {
        self.asked = Some(cause);
    }

    /// Reading begins. What is asked for from now on is not answered by it.
    pub(super) fn reading(&mut self) {
        self.reading = true;
        self.asked = None;
    }

    /// The clock turned out to be unset when the secret had been read.
    pub(super) fn put_off(&mut self, cause: Cause) {
        self.reading = false;
        self.ask(cause);
    }

    pub(super) fn changed(&mut self, at: SystemTime, next: SystemTime) {
        self.changed = Some(Change { at, next });
        self.reading = false;
        self.failed = None;
    }

    pub(super) fn failed(&mut self, uptime: Duration) {
        let pause = self
            .failed
            .map_or(RETRY, |failed| (failed.pause * 2).min(LONGEST_RETRY));
        self.reading = false;
        self.failed = Some(Failure {
            pause,
            retry: uptime + pause,
        });
    }
}

#[cfg(test)]
mod tests {
    use fastopen::{KeyRing, Rotation, Secret};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + EARLIEST + Duration::from_secs(seconds)
    }

    fn up(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn keys_change_when_they_are_due() {
        let mut table = Timetable::default();
        assert_eq!(table.decide(at(0), up(0)), Decision::Change(Cause::Start));
        table.changed(at(0), at(52));
        assert_eq!(table.decide(at(51), up(51)), Decision::Wait);
        assert_eq!(table.pause(at(51), up(5)), up(1));
        assert_eq!(table.pause(at(2), up(5)), up(5));
        assert_eq!(table.decide(at(52), up(52)), Decision::Change(Cause::Schedule));
    }

    #[test]
    fn a_clock_that_was_not_set_changes_nothing() {
        let mut table = Timetable::default();
        let boot = UNIX_EPOCH + up(7);
        assert_eq!(table.decide(boot, up(7)), Decision::ClockIsUnset);
        table.ask(Cause::Reload);
        assert_eq!(table.decide(boot, up(7)), Decision::ClockIsUnset);
        assert_eq!(table.decide(at(1), up(9)), Decision::Change(Cause::Reload));
    }

    #[test]
    fn a_clock_that_goes_back_is_noticed_and_one_that_is_slewed_is_not() {
        let mut table = Timetable::default();
        table.changed(at(1_000), at(1_050));
        assert_eq!(table.decide(at(999), up(1)), Decision::Wait);
        assert_eq!(
            table.decide(at(990), up(1)),
            Decision::Change(Cause::ClockWentBack)
        );
    }

    #[test]
    fn failures_are_retried_less_and_less_often() {
        let mut table = Timetable::default();
        table.changed(at(0), at(10));
        let (mut uptime, mut pauses) = (up(10), Vec::new());
        for _ in 0..6 {
            table.failed(uptime);
            let before = uptime;
            while table.decide(at(20), uptime) == Decision::Wait {
                uptime += up(1);
            }
            pauses.push((uptime - before).as_secs());
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        table.ask(Cause::Reload);
        assert_eq!(table.decide(at(20), up(0)), Decision::Change(Cause::Reload));
    }

    #[test]
    fn what_is_asked_while_the_secret_is_read_is_done_after_it() {
        let mut table = Timetable::default();
        table.ask(Cause::Reload);
        table.reading();
        assert_eq!(table.decide(at(0), up(0)), Decision::Wait);
        assert_eq!(table.pause(at(0), up(3)), up(3));
        table.ask(Cause::SecretChanged);
        assert_eq!(table.decide(at(1), up(1)), Decision::Wait);
        table.changed(at(2), at(52));
        assert_eq!(table.decide(at(2), up(2)), Decision::Change(Cause::SecretChanged));
        table.reading();
        table.failed(up(3));
        assert_eq!(table.decide(at(4), up(4)), Decision::Wait);
    }

    /// Clocks that jump both ways, machines that sleep: after the next look the keys are those of the time, or equal to them.
    #[test]
    fn whatever_the_clock_does_the_keys_follow_it() {
        let rotation = Rotation::new(Secret::new([3; 32]), up(100)).unwrap();
        let mut table = Timetable::default();
        let mut keys = None;
        let jumps = [
            0, 3, 47, 3_600, -3_600, 86_400, 5, -10, -86_395, 52, 49, -2, 100_000,
        ];
        let mut now = 10_000_i64;
        for (look, jump) in jumps.into_iter().enumerate() {
            now += jump;
            let time = at(now.cast_unsigned());
            if let Decision::Change(_) = table.decide(time, up(look as u64)) {
                table.reading();
                keys = Some(rotation.keys(time));
                table.changed(time, rotation.next_change(time));
            }
            // In the two seconds after a half the old keys may stay.
            let margin = rotation.keys(time - Rotation::MARGIN);
            assert!(
                keys == Some(rotation.keys(time)) || keys == Some(margin),
                "after {jump}"
            );
        }
    }

    /// The store is gone for an hour, in which the keys were to change; the members see it come back up to a minute apart.
    #[test]
    fn an_hour_without_the_secret_costs_no_cookie() {
        let rotation = Rotation::new(Secret::new([3; 32]), up(4 * 3_600)).unwrap();
        let gone = 6_000..9_600;
        let mut members: [(Timetable, Option<KeyRing>); 5] = Default::default();
        let mut late = 0;
        for second in 5_000..12_000 {
            let (time, uptime) = (at(second), up(second));
            let due = rotation.keys(time);
            for (member, (table, keys)) in members.iter_mut().enumerate() {
                // They look every three seconds, not at the same time.
                if !(second + member as u64).is_multiple_of(3) {
                    continue;
                }
                if let Decision::Change(_) = table.decide(time, uptime) {
                    table.reading();
                    match gone.contains(&second) {
                        true => table.failed(uptime),
                        false => {
                            *keys = Some(due.clone());
                            table.changed(time, rotation.next_change(time));
                        }
                    }
                }
            }
            let keys: Vec<&KeyRing> = members.iter().filter_map(|(_, keys)| keys.as_ref()).collect();
            late += u64::from(keys.iter().any(|keys| **keys != due));
            for (one, other) in keys
                .iter()
                .flat_map(|one| keys.iter().map(move |other| (one, other)))
            {
                let takes = other.primary() == one.primary() || other.backup() == Some(one.primary());
                assert!(takes, "at {second}");
            }
        }
        // From the change that was due at 7,200 s until the store was back, and no longer than a pause after it.
        assert!((2_400..2_475).contains(&late), "{late}");
    }
}
