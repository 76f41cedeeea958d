//! How the fast connections fared, counted against the plain ones.

use fastopen::Outcome;
use fastopen_wire::Cookie;

use super::evidence::{Evidence, Grant, Trial};
use super::verdict::Verdict;
use crate::stats::more_often;
use crate::timed::Failure;

/// How often something must happen before it is taken for a rule.
pub(super) const REPEATS: usize = 2;
/// The same for lost packets: where one in ten handshakes loses a packet, three in a row are one in a thousand.
pub(super) const REPEATS_LOST: usize = 3;
/// So many good connections in a row, and it is improbable (4 %) that a third of the servers behind the address refuse.
pub(super) const ACCEPTED_IN_A_ROW: usize = 8;
/// With a smaller probability it is not chance that fast connections fail more often than plain ones.
const SIGNIFICANT: f64 = 0.05;

/// How fast connections fared. Of those that failed only these are counted that a plain one next to them, and the rate of all plain
/// ones, show to be about Fast Open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All of them, whatever came of them.
    pub(super) tried: usize,
    /// Accepted, and answered.
    pub(super) good: usize,
    /// How many of the good ones came last, without any other between them.
    pub(super) good_in_a_row: usize,
    /// Connected, and silent afterwards.
    silent: usize,
    /// Reset after the handshake.
    pub(super) cut_off: usize,
    /// Their SYN was answered with a RST.
    pub(super) refused: usize,
    /// Their SYN was answered with an ICMP error.
    rejected: usize,
    pub(super) lost: usize,
    /// Connected without data being taken.
    ignored: usize,
    /// Such that the server granted another cookie in place of one that it had granted in this very probe.
    pub(super) refused_fresh: usize,
    /// The same for cookies from before.
    refused_old: usize,
    /// Accepted, but neither fast nor plain connections are answered.
    pub(super) unheard: usize,
    /// The kernel can't tell.
    pub(super) untold: usize,
    /// Plain connections that lost their SYN.
    plain_lost: usize,
}

impl Tally {
    /// Of those that carried data.
    pub(super) fn of_data(evidence: &Evidence) -> Self {
        Self::count(evidence, Trial::carried_data)
    }

    /// Of those that asked for a cookie: the ones that got a handshake are "ignored".
    pub(super) fn of_requests(evidence: &Evidence) -> Self {
        Self::count(evidence, Trial::requested)
    }

    fn count(evidence: &Evidence, which: impl Fn(&Trial) -> bool) -> Self {
        let mut tally = Self {
            plain_lost: evidence.plain().filter(|trial| trial.lost_its_syn()).count(),
            ..Self::default()
        };
        for (at, trial) in evidence
            .trials
            .iter()
            .enumerate()
            .filter(|(_, trial)| which(trial))
        {
            let control = evidence.trials[at..].iter().find(|trial| !trial.is_fast());
            tally.tried += 1;
            let good_before = tally.good;
            tally.add(trial, control, evidence, &evidence.trials[..at]);
            tally.good_in_a_row = match tally.good > good_before {
                true => tally.good_in_a_row + 1,
                false => 0,
            };
        }
        tally.leave_out_what_plain_ones_suffer_too(evidence);
        tally
    }

    fn add(&mut self, trial: &Trial, control: Option<&Trial>, evidence: &Evidence, earlier: &[Trial]) {
        let accepted = trial.outcome() == Some(Outcome::Accepted);
        let ended_alike = trial.was_cut_off() && evidence.ends_without_answer();
        let was_heard = trial.was_heard() || ended_alike;
        let plain_connects = control.is_some_and(|control| control.made().is_some());
        let plain_is_heard = control.is_some_and(Trial::was_heard);
        let by_icmp = evidence.fast_rejection().is_some();
        if accepted && was_heard {
            self.good += 1;
        } else if trial.was_silent() && plain_is_heard {
            self.silent += 1;
        } else if trial.was_silent() && accepted {
            self.unheard += usize::from(control.is_some_and(Trial::was_silent));
        } else if trial.was_cut_off() && !ended_alike {
            self.cut_off += usize::from(
                control.is_some_and(|control| control.made().is_some() && !control.was_cut_off()),
            );
        } else if trial.failed_at_once() {
            match (&trial.result, by_icmp) {
                _ if !plain_connects => {}
                (_, true) => self.rejected += 1,
                (Err(Failure::Refused), false) => self.refused += 1,
                // This machine says so, or a router that is not known yet.
                (Err(Failure::NoRoute), false) => self.rejected += 1,
                _ => {}
            }
        } else if trial.lost_its_syn() {
            let fares_worse = plain_connects && control.is_some_and(|control| !control.lost_its_syn());
            // The kernel sends a plain SYN after an ICMP error that comes while it still sends the fast one, as after a lost one.
            match by_icmp {
                true => self.rejected += usize::from(fares_worse),
                false => self.lost += usize::from(fares_worse),
            }
        } else if trial.outcome() == Some(Outcome::Unknown) {
            self.untold += 1;
        } else if trial.made().is_some() {
            match (trial.grant(), trial.before.cookie()) {
                (Grant::Another, Some(presented)) if was_granted(presented, earlier) => {
                    self.refused_fresh += 1;
                }
                (Grant::Another, _) if trial.outcome() == Some(Outcome::Ignored) => self.refused_old += 1,
                _ => self.ignored += 1,
            }
        }
    }

    /// A server that is silent or resets at random does so to plain connections as well.
    fn leave_out_what_plain_ones_suffer_too(&mut self, evidence: &Evidence) {
        let plain = evidence.plain().filter(|trial| trial.made().is_some()).count();
        let of_plain = |what: fn(&Trial) -> bool| evidence.plain().filter(|trial| what(trial)).count();
        let is_chance = |seen: usize, plain_seen: usize| {
            plain_seen > 0 && more_often((seen, self.tried), (plain_seen, plain)) >= SIGNIFICANT
        };
        let (silent, cut_off) = (of_plain(Trial::was_silent), of_plain(Trial::was_cut_off));
        let (forgive_silence, forgive_resets) =
            (is_chance(self.silent, silent), is_chance(self.cut_off, cut_off));
        if forgive_silence {
            self.silent = 0;
        }
        if forgive_resets {
            self.cut_off = 0;
        }
    }

    pub(super) fn bad(&self) -> usize {
        self.silent + self.cut_off + self.refused + self.rejected + self.lost + self.ignored
    }

    /// The kinds of failure, how often each was seen, and how often it takes: more lost SYNs where plain ones are lost as well.
    pub(super) fn kinds(&self) -> [(Verdict, usize, usize); 5] {
        [
            (Verdict::Silent, self.silent, REPEATS),
            (Verdict::Reset, self.cut_off + self.refused, REPEATS),
            (Verdict::Rejected, self.rejected, REPEATS),
            (Verdict::SynLost, self.lost, REPEATS_LOST + 2 * self.plain_lost),
            (Verdict::DataIgnored, self.ignored, REPEATS),
        ]
    }

    /// The kind of failure that was seen often enough, and more often than all others together.
    pub(super) fn main_failure(&self) -> Option<Verdict> {
        self.kinds()
            .into_iter()
            .find(|&(_, seen, enough)| seen >= enough && 2 * seen > self.bad())
            .map(|(verdict, ..)| verdict)
    }
}

/// Whether the cookie came from one of these connections.
fn was_granted(cookie: Cookie, trials: &[Trial]) -> bool {
    trials
        .iter()
        .any(|trial| trial.after.cookie() == Some(cookie) && trial.before.cookie() != Some(cookie))
}
