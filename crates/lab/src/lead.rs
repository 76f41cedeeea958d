//! How long before its time a packet must be sent to be on time.

use std::time::Duration;

/// Waking up takes a while, more on a machine that was idle. The middlebox learns how long, and asks to be woken so much earlier: the
/// lead moves by one step towards where half of the packets are late and half are early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lead(Duration);

const FIRST: Duration = Duration::from_micros(50);
const STEP: Duration = Duration::from_micros(5);
/// Beyond this the machine is overloaded, and a longer lead does not help; a packet that is early by more would be wrong as well.
const MOST: Duration = Duration::from_micros(250);

impl Lead {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// The lead by what is known now.
    pub(crate) fn length(self) -> Duration {
        self.0
    }

    /// Learns from one sleep that a packet's time has ended.
    pub(crate) fn learn(&mut self, due: Duration, woken: Duration) {
        self.0 = if woken > due {
            (self.0 + STEP).min(MOST)
        } else {
            self.0.saturating_sub(STEP)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_settles_at_what_waking_takes() {
        for micros in [0, 30, 120, 240] {
            let waking = Duration::from_micros(micros);
            let mut lead = Lead::new();
            let due = Duration::from_secs(1);
            for _ in 0..100 {
                lead.learn(due, due - lead.length() + waking);
            }
            assert!(lead.length().abs_diff(waking) <= STEP, "{lead:?} for {waking:?}");
        }
    }

    #[test]
    fn it_stays_small_on_an_overloaded_machine() {
        let mut lead = Lead::new();
        for _ in 0..1000 {
            lead.learn(Duration::ZERO, Duration::from_millis(20));
        }
        assert_eq!(lead.length(), MOST);
    }
}
