//! What the path to one destination has shown, and what follows from it.

use std::time::{Duration, Instant};

use super::super::lesson::FastSyn;
use super::super::round_trip::RoundTrip;

/// How long a destination stays plain after the first failure; each further failure doubles it.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest that a destination stays plain.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many losses in a row it takes where data has been taken before: at 3 % of lost packets one connection in 40,000 has so many
/// behind it by chance.
const LOSSES_IN_A_ROW: u8 = 3;

/// What the path to a destination has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) round_trip: Option<RoundTrip>,
    /// When the last SYN left whose data was taken; `None` before the first one, and again after a pause.
    took_data: Option<Instant>,
    losses: Option<Losses>,
    /// Whether fast SYNs were lost here before and the path took data again: packets are lost on it.
    loses_some: bool,
    /// Whether something was received on a connection whose SYN carried data.
    answers: bool,
    pause: Option<Pause>,
}

/// Fast SYNs that were lost, with none taken between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Losses {
    in_a_row: u8,
    last_sent: Instant,
    /// When the last of the plain SYNs left that were answered in their place.
    plain_sent: Instant,
}

/// A time of plain connections; over when it has ended, and then it says how long the next will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) until: Instant,
    length: Duration,
    cause: Cause,
    /// When the last SYN left that led to it.
    failed_sent: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The fast SYN was lost or reset: one that is taken ends it.
    Syn,
    /// The connection died after its handshake: only an answer ends it, for the SYN is taken every time.
    Death,
}

impl Entry {
    pub(super) fn plain_until(&self, now: Instant) -> Option<Instant> {
        self.pause.map(|pause| pause.until).filter(|until| now < *until)
    }

    pub(super) fn pause(&self) -> Option<Pause> {
        self.pause
    }

    /// Whether the last fast SYN was lost on a path that has taken data before.
    pub(super) fn is_suspect(&self) -> bool {
        self.losses.is_some()
    }

    pub(super) fn losses_in_a_row(&self) -> u8 {
        self.losses.map_or(0, |losses| losses.in_a_row)
    }

    pub(super) fn has_taken_data(&self) -> bool {
        self.took_data.is_some()
    }

    #[cfg(feature = "tokio")]
    pub(super) fn has_answered(&self) -> bool {
        self.answers
    }

    pub(super) fn learn(&mut self, fast_syn: FastSyn, rtt: Option<Duration>, now: Instant) {
        if let Some(rtt) = rtt {
            self.round_trip = Some(match self.round_trip {
                Some(known) => known.with(rtt),
                None => RoundTrip::new(rtt),
            });
        }
        match fast_syn {
            FastSyn::Taken { sent } => self.took(sent),
            FastSyn::Lost { sent, plain_sent } => self.lost(sent, plain_sent, now),
            FastSyn::Reset { sent } => self.begin_pause(Cause::Syn, sent, now),
            FastSyn::NoLesson => {}
        }
    }

    fn took(&mut self, sent: Instant) {
        self.took_data = self.took_data.max(Some(sent));
        if self.losses.is_some_and(|losses| losses.last_sent < sent) {
            (self.losses, self.loses_some) = (None, true);
        }
        let refutes = |pause: Pause| pause.cause == Cause::Syn && pause.failed_sent < sent;
        if self.pause.is_some_and(refutes) {
            self.pause = None;
        }
    }

    fn lost(&mut self, sent: Instant, plain_sent: Instant, now: Instant) {
        if self.plain_until(now).is_some() {
            return;
        }
        // Connections end in another order than they begin in: one that began later may have shown already that the path is good.
        if self.took_data.is_some_and(|taken| sent < taken) {
            self.loses_some = true;
            return;
        }
        let in_a_row = match &mut self.losses {
            // An outage loses every packet. All fast SYNs that it can be blamed for were on their way before it ended, and so before the
            // first plain one left that was answered.
            Some(losses) if sent < losses.plain_sent => {
                losses.last_sent = losses.last_sent.max(sent);
                return;
            }
            losses => losses.map_or(0, |losses| losses.in_a_row) + 1,
        };
        self.losses = Some(Losses {
            in_a_row,
            last_sent: sent,
            plain_sent,
        });
        // The suspect's failures cost half as much, so that one more of them costs no more than three delays in all.
        let allowed = match self.took_data {
            Some(_) => LOSSES_IN_A_ROW + u8::from(self.loses_some),
            None => 1,
        };
        if in_a_row >= allowed {
            self.begin_pause(Cause::Syn, sent, now);
        }
    }

    /// A connection whose SYN carried data has died.
    pub(super) fn died(&mut self, now: Instant) {
        self.begin_pause(Cause::Death, now, now);
    }

    /// Something was received on a connection whose SYN carried data.
    #[cfg(any(feature = "tokio", test))]
    pub(super) fn answered(&mut self) {
        self.answers = true;
        if self.pause.is_some_and(|pause| pause.cause == Cause::Death) {
            self.pause = None;
        }
    }

    fn begin_pause(&mut self, cause: Cause, failed_sent: Instant, now: Instant) {
        // Connections that failed together are one failure.
        if self.plain_until(now).is_some() {
            return;
        }
        let length = match self.pause {
            Some(last) => (last.length * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        // After it one failure is enough again.
        *self = Self {
            round_trip: self.round_trip,
            pause: Some(Pause {
                until: now + length,
                length,
                cause,
                failed_sent,
            }),
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const MINUTE: Duration = Duration::from_secs(60);

    /// A path, and a clock on which its connections begin.
    struct Path {
        entry: Entry,
        now: Instant,
    }

    impl Path {
        fn new() -> Self {
            Self {
                entry: Entry::default(),
                now: Instant::now(),
            }
        }

        fn that_took_data() -> Self {
            let mut path = Self::new();
            path.take();
            path
        }

        fn take(&mut self) {
            let sent = self.now;
            self.now += 20 * MS;
            self.entry.learn(FastSyn::Taken { sent }, None, self.now);
        }

        fn lose(&mut self) {
            let sent = self.now;
            self.now += 70 * MS;
            self.lose_sent(sent);
        }

        fn lose_sent(&mut self, sent: Instant) {
            let plain_sent = sent + 50 * MS;
            self.entry
                .learn(FastSyn::Lost { sent, plain_sent }, None, self.now);
        }

        fn reset(&mut self) {
            let sent = self.now;
            self.now += 20 * MS;
            self.entry.learn(FastSyn::Reset { sent }, None, self.now);
        }

        fn is_plain(&self) -> bool {
            self.entry.plain_until(self.now).is_some()
        }
    }

    #[test]
    fn one_loss_is_enough_where_no_data_was_ever_taken() {
        let mut path = Path::new();
        path.lose();
        assert_eq!(path.entry.plain_until(path.now), Some(path.now + MINUTE));
    }

    #[test]
    fn the_pause_doubles_up_to_a_day() {
        let mut path = Path::new();
        let mut pause = MINUTE;
        for _ in 0..20 {
            path.lose();
            assert_eq!(path.entry.plain_until(path.now), Some(path.now + pause));
            assert_eq!(path.entry.plain_until(path.now + pause), None);
            path.now += pause;
            pause = (pause * 2).min(24 * 60 * MINUTE);
        }
        assert_eq!(pause, 24 * 60 * MINUTE);
    }

    #[test]
    fn failures_during_the_pause_do_not_lengthen_it() {
        let mut path = Path::new();
        path.lose();
        let until = path.entry.plain_until(path.now);
        path.now += MINUTE / 2;
        path.lose();
        path.reset();
        assert_eq!(path.entry.plain_until(path.now), until);
    }

    #[test]
    fn a_success_begins_anew() {
        let mut path = Path::new();
        path.lose();
        path.now += MINUTE;
        path.lose();
        path.now += 2 * MINUTE;
        path.take();
        for _ in 0..3 {
            assert!(!path.is_plain());
            path.lose();
        }
        assert_eq!(path.entry.plain_until(path.now), Some(path.now + MINUTE));
    }

    #[test]
    fn it_takes_three_in_a_row_where_data_was_taken() {
        let mut path = Path::that_took_data();
        for _ in 0..100 {
            path.lose();
            assert!(path.entry.is_suspect());
            path.take();
            assert!(!path.entry.is_suspect());
        }
        let mut path = Path::that_took_data();
        for _ in 0..3 {
            assert!(!path.is_plain());
            path.lose();
        }
        assert!(path.is_plain());
        // And then one, as on any path that is known to fail.
        path.now += MINUTE;
        path.lose();
        assert_eq!(path.entry.plain_until(path.now), Some(path.now + 2 * MINUTE));
    }

    #[test]
    fn where_single_packets_were_lost_before_it_takes_one_more() {
        let mut path = Path::that_took_data();
        path.lose();
        path.take();
        for _ in 0..4 {
            assert!(!path.is_plain());
            path.lose();
        }
        assert!(path.is_plain());
    }

    #[test]
    fn a_reset_is_enough() {
        let mut path = Path::that_took_data();
        path.reset();
        assert!(path.is_plain());
    }

    #[test]
    fn an_outage_is_one_loss_however_many_connections_it_hits() {
        let mut path = Path::that_took_data();
        let sent = path.now;
        path.now += 100 * MS;
        for i in 0..10 {
            path.lose_sent(sent + i * MS);
        }
        assert_eq!(path.entry.losses_in_a_row(), 1);
        path.lose();
        assert_eq!(path.entry.losses_in_a_row(), 2);
    }

    #[test]
    fn what_was_sent_later_and_taken_refutes_a_loss_that_is_learnt_afterwards() {
        let mut path = Path::that_took_data();
        let sent = path.now;
        path.now += MS;
        path.take();
        path.lose_sent(sent);
        assert!(!path.entry.is_suspect());
        // And what was sent before and taken refutes nothing.
        path.lose();
        path.entry.learn(FastSyn::Taken { sent }, None, path.now);
        assert!(path.entry.is_suspect());
    }

    #[test]
    fn a_pause_is_not_ended_by_what_was_sent_before_it() {
        let mut path = Path::that_took_data();
        let sent = path.now;
        path.now += MS;
        path.reset();
        path.entry.learn(FastSyn::Taken { sent }, None, path.now);
        assert!(path.is_plain());
        // Somebody requires Fast Open, and it works.
        path.take();
        assert!(!path.is_plain());
    }

    #[test]
    fn a_death_is_enough_and_a_syn_that_is_taken_does_not_undo_it() {
        let mut path = Path::that_took_data();
        for pause in [MINUTE, 2 * MINUTE, 4 * MINUTE] {
            path.entry.died(path.now);
            assert_eq!(path.entry.plain_until(path.now), Some(path.now + pause));
            path.now += pause;
            path.take();
        }
        path.entry.answered();
        path.entry.died(path.now);
        assert_eq!(path.entry.plain_until(path.now), Some(path.now + MINUTE));
    }

    #[test]
    fn the_round_trip_time_outlives_a_pause() {
        let mut path = Path::new();
        path.entry.learn(FastSyn::NoLesson, Some(40 * MS), path.now);
        path.reset();
        assert_eq!(path.entry.round_trip, Some(RoundTrip::new(40 * MS)));
    }
}
