//! The decision: from what was shown to what may be said. Pure, and never more than the evidence carries.
//!
//! A failure of a fast connection counts only where the plain connection right after it fared better, and where plain ones fail in the
//! same way now and then only if fast ones do so more often than chance explains: so neither a lossy path nor a server that went away or
//! breaks off at random is mistaken for one that breaks Fast Open. [`causes`] says why something is so.

use fastopen::{Outcome, Reason};

use super::causes;
use super::evidence::{Evidence, Machine, Reply, Trial};
use super::tally::{ACCEPTED_IN_A_ROW, REPEATS, REPEATS_LOST, Tally};
use super::verdict::{Cause, Judgement, Verdict};
use crate::timed::Failure;

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
            false => unreachable(evidence, last),
            true => Judgement::unfinished(Cause::Mixed),
        };
    }
    let tally = Tally::of_data(evidence);
    match tally.tried {
        0 => judge_requests(evidence, &Tally::of_requests(evidence)),
        _ => judge_data(evidence, &tally),
    }
}

fn this_machine(evidence: &Evidence) -> Option<Cause> {
    match evidence.machine {
        Machine::SwitchedOff => return Some(Cause::ClientBitOff),
        Machine::Incapable => return Some(Cause::KernelLacksIt),
        Machine::Ready | Machine::SendsWithoutCookie | Machine::Unknown => {}
    }
    let rejected_elsewhere = evidence.fast_rejection().is_some();
    evidence
        .fast()
        .filter_map(|trial| match (&trial.result, trial.outcome()) {
            (Err(Failure::Here(why, _)), _) if !rejected_elsewhere => Some(causes::of_local_error(*why)),
            (_, Some(Outcome::NotAttempted(Reason::Blackhole))) => Some(Cause::BlackholeTimer),
            (_, Some(Outcome::NotAttempted(Reason::Sysctl))) => Some(Cause::ClientBitOff),
            (_, Some(Outcome::NotAttempted(Reason::Unsupported))) => Some(Cause::KernelLacksIt),
            _ => None,
        })
        .last()
}

fn unreachable(evidence: &Evidence, last: &Trial) -> Judgement {
    let answered = matches!(evidence.checks.plain_failure, Some(Reply::Icmp(_) | Reply::Reset));
    match &last.result {
        // A path may lose the few packets of one attempt.
        Err(Failure::Unanswered) | Ok(_) if evidence.trials.len() < REPEATS_LOST => {
            Judgement::unfinished(Cause::NothingTried)
        }
        Err(Failure::Unanswered) | Ok(_) if evidence.plain_rejection().is_none() => {
            Judgement::certain(Verdict::Unreachable, [Cause::Unanswered])
        }
        Err(Failure::Here(why, _)) if !answered => {
            Judgement::certain(Verdict::ThisMachine, [causes::of_local_error(*why)])
        }
        failed => {
            let refused = matches!(failed, Err(Failure::Refused));
            Judgement::certain(Verdict::Unreachable, causes::of_unreachability(evidence, refused))
        }
    }
}

fn judge_data(evidence: &Evidence, tally: &Tally) -> Judgement {
    if tally.refused_fresh >= REPEATS {
        return Judgement::certain(
            Verdict::CookieRefused,
            match evidence.local {
                true => vec![Cause::KeysDiffer],
                false => vec![Cause::KeysDiffer, Cause::AddressChanges],
            },
        );
    }
    if tally.good == 0 {
        return judge_failures(evidence, tally);
    }
    let once = tally.refused_fresh + tally.bad() - tally.lost;
    let repeatedly = tally
        .kinds()
        .into_iter()
        .filter(|&(kind, seen, enough)| match kind {
            // Where some fast SYNs get through, packet loss explains the others.
            Verdict::SynLost => seen >= 2 * enough,
            _ => seen >= enough,
        })
        .map(|(verdict, ..)| verdict);
    let causes: Vec<_> = repeatedly.filter_map(sometimes).collect();
    match (once, causes.is_empty()) {
        (_, false) => Judgement::certain(Verdict::Intermittent, causes),
        (0, _) if tally.good > tally.lost => Judgement::certain(Verdict::Works, []),
        (1, _) if tally.good_in_a_row >= ACCEPTED_IN_A_ROW => Judgement::certain(Verdict::Works, []),
        _ => Judgement::unfinished(Cause::Mixed),
    }
}

/// Why something happens on some connections and not on others.
fn sometimes(kind: Verdict) -> Option<Cause> {
    match kind {
        Verdict::Silent => Some(Cause::SometimesSilent),
        Verdict::Reset => Some(Cause::SometimesReset),
        Verdict::Rejected => Some(Cause::SometimesRejected),
        Verdict::DataIgnored => Some(Cause::SometimesIgnored),
        Verdict::SynLost => Some(Cause::SometimesLost),
        _ => None,
    }
}

fn judge_failures(evidence: &Evidence, tally: &Tally) -> Judgement {
    match tally.main_failure() {
        Some(Verdict::DataIgnored) => ignored(evidence),
        Some(Verdict::SynLost) => Judgement::certain(Verdict::SynLost, causes::of_lost_syns(evidence)),
        Some(verdict) => after_the_syn(verdict, evidence, tally, Cause::FastSynRefused),
        None if tally.unheard > 0 && tally.bad() == 0 && evidence.is_silent_to_plain() => {
            no_answer_either(evidence)
        }
        None if tally.untold == tally.tried => Judgement::unsettled(Cause::KernelDoesNotTell),
        None if evidence.checks.small_segments_help == Some(true) => no_answer_either(evidence),
        None => Judgement::unfinished(Cause::Mixed),
    }
}

/// What is said alike of SYNs with data and of those that ask for a cookie.
fn after_the_syn(verdict: Verdict, evidence: &Evidence, tally: &Tally, refused: Cause) -> Judgement {
    match verdict {
        Verdict::Reset if tally.cut_off > tally.refused => {
            Judgement::certain(verdict, causes::of_resets(evidence))
        }
        Verdict::Reset => Judgement::certain(verdict, [refused]),
        Verdict::Silent => {
            let verdict = match causes::ends_acknowledged(evidence) {
                Some(true) => Verdict::Silent,
                _ => Verdict::Blackholed,
            };
            Judgement::certain(verdict, causes::of_silence(evidence))
        }
        Verdict::Rejected => Judgement::certain(verdict, [Cause::FastSynRejected]),
        _ => Judgement::unfinished(Cause::Mixed),
    }
}

/// Data is accepted, and neither fast nor plain connections are answered.
fn no_answer_either(evidence: &Evidence) -> Judgement {
    match evidence.checks.small_segments_help {
        Some(true) => Judgement::unsettled(Cause::LargePacketsDropped),
        _ => Judgement::unsettled(Cause::NoAnswerEither),
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
    Judgement::certain(Verdict::DataIgnored, causes::of_ignored_data(evidence))
}

/// There never was a cookie, or no data left with it.
fn judge_requests(evidence: &Evidence, tally: &Tally) -> Judgement {
    if evidence.fast().filter(|trial| trial.kept_its_data_back()).count() >= REPEATS {
        return Judgement::certain(Verdict::ThisMachine, [Cause::DataKeptBack]);
    }
    if evidence.trials.iter().any(|trial| trial.granted().is_some()) {
        return Judgement::unfinished(Cause::NothingTried);
    }
    let untold = evidence
        .fast()
        .any(|trial| trial.outcome() == Some(Outcome::Unknown));
    match tally.main_failure() {
        Some(Verdict::SynLost) => Judgement::certain(Verdict::SynLost, causes::of_lost_requests(evidence)),
        Some(Verdict::DataIgnored) => Judgement::certain(Verdict::NoCookie, causes::of_no_cookie(evidence)),
        Some(verdict) => after_the_syn(verdict, evidence, tally, Cause::RequestRefused),
        None if untold => Judgement::unsettled(Cause::KernelDoesNotTell),
        None => Judgement::unfinished(match tally.tried {
            0 => Cause::NothingTried,
            _ => Cause::Mixed,
        }),
    }
}

#[cfg(test)]
#[path = "judge_tests/mod.rs"]
mod tests;
