//! The round-trip time of a path, and how long a fast SYN has to be answered on it.

use std::time::Duration;

/// What is added to the round-trip time at the least. A SYN-ACK is late when the machine at either end was asleep or busy, or a radio
/// link between them was; a plain SYN sent for that is wasted, and one that is sent so much later costs this much, once.
const MARGIN: Duration = Duration::from_millis(30);
/// RFC 8305, section 5: attempts must not follow each other sooner.
const LEAST: Duration = Duration::from_millis(10);
/// RFC 8305, section 5: attempts should not follow each other later. The kernel sends a SYN without data a second after the fast one
/// (RFC 6298, section 2), so that waiting for longer than that is no loss.
const MOST: Duration = Duration::from_secs(2);

/// A round-trip time and how much it varies, as TCP keeps them (RFC 6298, section 2), but from one sample for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    smoothed: Duration,
    deviation: Duration,
}

impl RoundTrip {
    /// What one sample says. Nothing is known of the variation yet; [`plain_delay`](Self::plain_delay) allows for some.
    pub(crate) fn new(sample: Duration) -> Self {
        Self {
            smoothed: sample,
            deviation: Duration::ZERO,
        }
    }

    /// Takes another sample into account.
    #[must_use]
    pub(crate) fn with(self, sample: Duration) -> Self {
        Self {
            smoothed: (self.smoothed * 7 + sample) / 8,
            deviation: (self.deviation * 3 + self.smoothed.abs_diff(sample)) / 4,
        }
    }

    pub(crate) fn smoothed(self) -> Duration {
        self.smoothed
    }

    /// How long after a fast SYN the plain one leaves: when the SYN-ACK is overdue.
    ///
    /// RFC 8305 recommends no less than 100 ms between attempts, so that lost packets don't cause ever more attempts. Here one plain SYN
    /// follows a fast one, never more, and paths where that happens are left alone; so the delay may be as short as the path is.
    pub(crate) fn plain_delay(self) -> Duration {
        let margin = MARGIN.max(self.smoothed / 4).max(self.deviation * 4);
        (self.smoothed + margin).min(MOST)
    }

    /// The same where the last fast SYN got no answer: the plain one leaves before the SYN-ACK can be overdue.
    pub(crate) fn plain_delay_of_suspect(self) -> Duration {
        (self.plain_delay() / 2).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn it_is_the_round_trip_and_a_margin() {
        for (rtt, delay) in [
            (0, 30),
            (20, 50),
            (100, 130),
            (200, 250),
            (600, 750),
            (3000, 2000),
        ] {
            assert_eq!(RoundTrip::new(ms(rtt)).plain_delay(), ms(delay), "{rtt} ms");
            assert_eq!(RoundTrip::new(ms(rtt)).plain_delay_of_suspect(), ms(delay) / 2);
        }
    }

    #[test]
    fn a_path_that_varies_gets_more_time_and_one_that_settles_less() {
        let mut path = RoundTrip::new(ms(40));
        for sample in [40, 200, 40, 200] {
            path = path.with(ms(sample));
        }
        assert!(path.plain_delay() > ms(300), "{path:?}");
        for _ in 0..40 {
            path = path.with(ms(40));
        }
        assert!(path.plain_delay() < ms(75), "{path:?}");
    }

    #[test]
    fn a_path_that_became_longer_is_learnt_at_once() {
        let path = RoundTrip::new(ms(20)).with(ms(300));
        assert!(path.plain_delay() > ms(300), "{path:?}");
    }

    proptest! {
        #[test]
        fn it_keeps_within_its_bounds(samples in prop::collection::vec(0_u64..100_000_000, 1..50)) {
            let mut path = RoundTrip::new(Duration::from_micros(samples[0]));
            for sample in samples {
                path = path.with(Duration::from_micros(sample));
                prop_assert!((MARGIN..=MOST).contains(&path.plain_delay()));
                prop_assert!((LEAST..=MOST / 2).contains(&path.plain_delay_of_suspect()));
            }
        }
    }
}
