//! The decision: from what was shown to what may be said. Pure, and never more than the evidence carries.
//!
//! A failure of a fast connection counts only where the plain connection right after it fared better: so neither a lossy path nor a
//! server that went away is taken for an enemy of Fast Open.

use fastopen::{Outcome, Reason};

use super::evidence::{Evidence, Grant, Machine, Trial};
use super::verdict::{Cause, Judgement, Verdict};
use crate::exchange::Failure;

/// How often something must happen before it is no chance.
pub(super) const NO_CHANCE: usize = 2;
/// The same for lost packets: where one in ten handshakes loses a packet, three in a row are one in a thousand.
pub(super) const NO_CHANCE_LOST: usize = 3;
/// So many good connections in a row, and it is improbable (4 %) that a third of the servers behind the address refuse.
pub(super) const GOOD_ENOUGH: usize = 8;

/// What the evidence says.
pub(super) fn judge(evidence: &Evidence) -> Judgement {
    if let Some(cause) = this_machine(evidence) {
        return Judgement::certain(Verdict::ThisMachine, [cause]);
    }
    let Some(last) = evidence.trials.last() else {
        return Judgement::unfinished(Cause::NothingTried);
    };
    if evidence.trials.iter().all(|trial| trial.result.is_err()) {
        return match evidence.trials.iter().any(Trial::is_fast) {
            // Plain connections decide whether a server is there.
            false => unreachable(last),
            true => Judgement::unfinished(Cause::Mixed),
        };
    }
    let shots = Shots::of(evidence);
    match shots.data {
        0 => judge_requests(evidence, &Shots::of_requests(evidence)),
        _ => judge_data(evidence, &shots),
    }
}

fn this_machine(evidence: &Evidence) -> Option<Cause> {
    match evidence.machine {
        Machine::SwitchedOff => return Some(Cause::ClientBitOff),
        Machine::Incapable => return Some(Cause::KernelLacksIt),
        Machine::Ready | Machine::SendsWithoutCookie | Machine::Unknown => {}
    }
    let fast = evidence.trials.iter().filter(|trial| trial.is_fast());
    fast.filter_map(|trial| match (&trial.result, trial.outcome()) {
        (Err(Failure::Here(_)), _) => Some(Cause::RefusedHere),
        (_, Some(Outcome::NotAttempted(Reason::Blackhole))) => Some(Cause::BlackholeTimer),
        (_, Some(Outcome::NotAttempted(Reason::Sysctl))) => Some(Cause::ClientBitOff),
        (_, Some(Outcome::NotAttempted(Reason::Unsupported))) => Some(Cause::KernelLacksIt),
        _ => None,
    })
    .next_back()
}

fn unreachable(last: &Trial) -> Judgement {
    match &last.result {
        Err(Failure::NoRoute) => Judgement::certain(Verdict::Unreachable, [Cause::NoRoute]),
        Err(Failure::Here(_)) => Judgement::certain(Verdict::ThisMachine, [Cause::RefusedHere]),
        Err(Failure::Refused) => Judgement::certain(Verdict::Unreachable, [Cause::Refused]),
        _ => Judgement::certain(Verdict::Unreachable, [Cause::Unanswered]),
    }
}

/// How fast connections fared, those that a plain one vindicates counted only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shots {
    /// All of them, whatever came of them.
    data: usize,
    /// Accepted, and heard from.
    good: usize,
    /// How many of the good ones came last, without any other between them.
    good_in_a_row: usize,
    /// Connected, and never heard from, where plain ones are.
    silent: usize,
    reset: usize,
    lost: usize,
    /// Connected without data being taken, and heard from.
    ignored: usize,
    /// Such that the server granted another cookie in place of one that it had granted in this very probe.
    refused_fresh: usize,
    /// The same for cookies from before.
    refused_old: usize,
    /// Accepted, but neither fast nor plain connections hear anything.
    unheard: usize,
    /// The kernel can't tell.
    untold: usize,
    /// Plain connections that lost their SYN.
    plain_lost: usize,
}

impl Shots {
    /// Of those that carried data.
    fn of(evidence: &Evidence) -> Self {
        Self::count(evidence, Trial::carried_data)
    }

    /// Of those that asked for a cookie: the ones that got a handshake and an answer are "ignored".
    fn of_requests(evidence: &Evidence) -> Self {
        Self::count(evidence, Trial::requested)
    }

    fn count(evidence: &Evidence, which: impl Fn(&Trial) -> bool) -> Self {
        let lost_plainly = |trial: &&Trial| !trial.is_fast() && trial.lost_its_syn();
        let mut shots = Self {
            plain_lost: evidence.trials.iter().filter(lost_plainly).count(),
            ..Self::default()
        };
        for (at, trial) in evidence
            .trials
            .iter()
            .enumerate()
            .filter(|(_, trial)| which(trial))
        {
            let control = evidence.trials[at..].iter().find(|trial| !trial.is_fast());
            shots.data += 1;
            let good_before = shots.good;
            shots.add(trial, control, &evidence.trials[..at]);
            shots.good_in_a_row = match shots.good > good_before {
                true => shots.good_in_a_row + 1,
                false => 0,
            };
        }
        shots
    }

    fn add(&mut self, trial: &Trial, control: Option<&Trial>, earlier: &[Trial]) {
        let accepted = trial.outcome() == Some(Outcome::Accepted);
        let ended_alike = trial.was_cut_off() && control.is_some_and(Trial::was_cut_off);
        let was_heard = trial.was_heard() || ended_alike;
        if accepted && was_heard {
            self.good += 1;
        } else if trial.was_silent() {
            match control {
                Some(control) if control.was_heard() => self.silent += 1,
                Some(control) if control.was_silent() && accepted => self.unheard += 1,
                _ => {}
            }
        } else if trial.was_reset() && !ended_alike {
            self.reset +=
                usize::from(control.is_some_and(|control| control.made().is_some() && !control.was_reset()));
        } else if trial.lost_its_syn() {
            self.lost += usize::from(
                control.is_some_and(|control| control.made().is_some() && !control.lost_its_syn()),
            );
        } else if trial.outcome() == Some(Outcome::Unknown) {
            self.untold += 1;
        } else if was_heard {
            match (trial.grant(), trial.before.cookie()) {
                (Grant::Another, Some(presented)) if was_granted(presented, earlier) => {
                    self.refused_fresh += 1;
                }
                (Grant::Another, _) if trial.outcome() == Some(Outcome::Ignored) => self.refused_old += 1,
                _ => self.ignored += 1,
            }
        }
    }

    fn bad(&self) -> usize {
        self.silent + self.reset + self.lost + self.ignored
    }

    /// The kinds of failure, how often each was seen, and how often it takes: lost SYNs the oftener, the more plain ones are lost.
    fn kinds(&self) -> [(Verdict, usize, usize); 4] {
        [
            (Verdict::Blackholed, self.silent, NO_CHANCE),
            (Verdict::Reset, self.reset, NO_CHANCE),
            (Verdict::SynLost, self.lost, NO_CHANCE_LOST + 2 * self.plain_lost),
            (Verdict::DataIgnored, self.ignored, NO_CHANCE),
        ]
    }

    /// The kind of failure that was seen often enough, and more often than all others together.
    fn main_failure(&self) -> Option<Verdict> {
        self.kinds()
            .into_iter()
            .find(|&(_, seen, enough)| seen >= enough && 2 * seen > self.bad())
            .map(|(verdict, ..)| verdict)
    }
}

/// Whether the cookie came from one of these connections.
fn was_granted(cookie: fastopen_wire::Cookie, trials: &[Trial]) -> bool {
    trials
        .iter()
        .any(|trial| trial.after.cookie() == Some(cookie) && trial.before.cookie() != Some(cookie))
}

fn judge_data(evidence: &Evidence, shots: &Shots) -> Judgement {
    if shots.refused_fresh >= NO_CHANCE {
        return Judgement::certain(
            Verdict::CookieRefused,
            match evidence.local {
                true => vec![Cause::KeysDiffer],
                false => vec![Cause::KeysDiffer, Cause::AddressChanges],
            },
        );
    }
    if shots.good == 0 {
        return judge_failures(evidence, shots);
    }
    let once = shots.refused_fresh + shots.silent + shots.reset + shots.ignored;
    let repeatedly = shots
        .kinds()
        .into_iter()
        .filter(|&(kind, seen, enough)| match kind {
            // Where fast SYNs get through, losing some takes no enemy.
            Verdict::SynLost => seen >= 2 * enough,
            _ => seen >= enough,
        })
        .map(|(verdict, ..)| verdict);
    let causes: Vec<_> = repeatedly.filter_map(sometimes).collect();
    match (once, causes.is_empty()) {
        (_, false) => Judgement::certain(Verdict::Intermittent, causes),
        (0, _) if shots.good > shots.lost => Judgement::certain(Verdict::Works, []),
        (1, _) if shots.good_in_a_row >= GOOD_ENOUGH => Judgement::certain(Verdict::Works, []),
        _ => Judgement::unfinished(Cause::Mixed),
    }
}

/// Why something happens on some connections and not on others.
fn sometimes(kind: Verdict) -> Option<Cause> {
    match kind {
        Verdict::Blackholed => Some(Cause::SometimesSilent),
        Verdict::Reset => Some(Cause::SometimesReset),
        Verdict::DataIgnored => Some(Cause::SometimesIgnored),
        Verdict::SynLost => Some(Cause::SometimesLost),
        _ => None,
    }
}

fn judge_failures(evidence: &Evidence, shots: &Shots) -> Judgement {
    match shots.main_failure() {
        Some(Verdict::DataIgnored) => ignored(evidence),
        Some(Verdict::SynLost) => Judgement::certain(Verdict::SynLost, [Cause::FastSynDropped]),
        Some(Verdict::Reset) => Judgement::certain(Verdict::Reset, [Cause::FastSynRefused]),
        Some(verdict) => Judgement::certain(verdict, [Cause::DroppedAfterwards]),
        None if shots.unheard > 0 && shots.bad() == 0 => Judgement::unsettled(Cause::NoAnswerEither),
        None if shots.untold == shots.data => Judgement::unsettled(Cause::KernelDoesNotTell),
        None => Judgement::unfinished(Cause::Mixed),
    }
}

fn ignored(evidence: &Evidence) -> Judgement {
    if evidence.machine == Machine::SendsWithoutCookie
        && evidence
            .trials
            .iter()
            .all(|trial| trial.before.cookie().is_none())
    {
        return Judgement::certain(Verdict::ThisMachine, [Cause::SendsWithoutCookie]);
    }
    let was_ignored = |trial: &&Trial| trial.carried_data() && trial.outcome() == Some(Outcome::Ignored);
    let grants: Vec<_> = evidence
        .trials
        .iter()
        .filter(was_ignored)
        .map(Trial::grant)
        .collect();
    let all = |grant| grants.iter().all(|seen| *seen == grant);
    let altered = (!all(Grant::None) && !evidence.local).then_some(Cause::CookieAltered);
    let others = match all(Grant::TheSame) {
        true => [None; 4],
        false => {
            let granted_now = evidence.trials.iter().any(|trial| trial.granted().is_some());
            [
                (!evidence.local).then_some(Cause::OptionStripped),
                (!evidence.local).then_some(Cause::AnsweredInItsPlace),
                (!granted_now).then_some(Cause::ServerOff),
                Some(Cause::QueueFull),
            ]
        }
    };
    Judgement::certain(
        Verdict::DataIgnored,
        others.into_iter().chain([altered]).flatten(),
    )
}

/// There never was a cookie.
fn judge_requests(evidence: &Evidence, shots: &Shots) -> Judgement {
    if evidence.trials.iter().any(|trial| trial.granted().is_some()) {
        return Judgement::unfinished(Cause::NothingTried);
    }
    let untold = evidence
        .trials
        .iter()
        .any(|trial| trial.is_fast() && trial.outcome() == Some(Outcome::Unknown));
    match shots.main_failure() {
        Some(Verdict::SynLost) => Judgement::certain(Verdict::SynLost, [Cause::RequestDropped]),
        Some(Verdict::Reset) => Judgement::certain(Verdict::Reset, [Cause::RequestRefused]),
        Some(Verdict::DataIgnored) => Judgement::certain(
            Verdict::NoCookie,
            match evidence.local {
                true => vec![Cause::ServerOff],
                false => vec![Cause::ServerOff, Cause::OptionStripped],
            },
        ),
        Some(verdict) => Judgement::certain(verdict, [Cause::DroppedAfterwards]),
        None if untold => Judgement::unsettled(Cause::KernelDoesNotTell),
        None => Judgement::unfinished(match shots.data {
            0 => Cause::NothingTried,
            _ => Cause::Mixed,
        }),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
