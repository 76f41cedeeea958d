//! A time without descriptors for further connections: reported when it begins and when it is over, and not in between.

use std::time::Duration;

use tokio::time::Instant;

/// How long accepting must go well before the shortage is over. As each connection ends, another takes its descriptor, and the next one
/// fails again.
const CALM: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Shortage(Option<Times>);

#[derive(Clone, Copy, Debug)]
struct Times {
    began: Instant,
    last_failure: Instant,
}

impl Shortage {
    /// Takes a failure; whether it is the first.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        let is_first = self.0.is_none();
        self.0
            .get_or_insert(Times {
                began: now,
                last_failure: now,
            })
            .last_failure = now;
        is_first
    }

    /// When it will be over, if nothing fails until then.
    pub(super) fn over_at(&self) -> Option<Instant> {
        self.0.map(|times| times.last_failure + CALM)
    }

    /// Ends it, and tells how long it took from the first failure to the last.
    pub(super) fn end(&mut self) -> Option<Duration> {
        self.0.take().map(|times| times.last_failure - times.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_reported_once_and_when_it_is_over() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut shortage = Shortage::default();
        assert_eq!((shortage.over_at(), shortage.end()), (None, None));
        let reported = [0, 100, 200, 1900].map(|ms| shortage.failed(at(ms)));
        assert_eq!(reported, [true, false, false, false]);
        assert_eq!(shortage.over_at(), Some(at(3900)));
        assert_eq!(shortage.end(), Some(Duration::from_millis(1900)));
        assert!(shortage.failed(at(5000)), "another one");
    }
}
