//! Which connection to make next: plain and fast ones, until there is enough to say.

use std::time::Duration;

use super::evidence::{Cached, Evidence, Machine, Trial};
use super::judge::judge;
use super::tally::REPEATS_LOST;
use crate::timed::Way;

/// How many fast connections are made beyond those asked for, while the probability is still too low.
const EXTRA: usize = 12;

/// The next connection, or nothing more. `wanted` is how many connections are to carry data in their SYN.
///
/// A plain one, one to get a cookie, then fast and plain ones mixed, and plain ones at the end: so each fast connection has a plain one
/// soon after it to be compared with, and there are enough of both for an interval.
pub(super) fn next(evidence: &Evidence, wanted: usize) -> Option<Way> {
    let trials = &evidence.trials;
    let Some(last) = trials.last() else {
        return match evidence.machine {
            Machine::SwitchedOff | Machine::Incapable => None,
            _ => Some(Way::Plain),
        };
    };
    if has_gone(trials) || is_mute(evidence) {
        return None;
    }
    if trials.iter().all(|trial| trial.result.is_err()) {
        // Plain ones show whether a server is there.
        return Some(Way::Plain);
    }
    let fast = trials.iter().filter(|trial| trial.is_fast()).count();
    let with_data = trials.iter().filter(|trial| trial.carried_data()).count();
    let enough = match if with_data > 0 { with_data } else { fast } {
        tried if tried < wanted => false,
        _ => !judge(evidence).unfinished,
    };
    if enough || fast >= wanted + EXTRA {
        let lacks_plain = last.is_fast() || trials.len() - fast < with_data.min(wanted) + 3;
        return (with_data > 0 && lacks_plain).then_some(Way::Plain);
    }
    let first_with_data = trials.iter().position(Trial::carried_data);
    Some(match first_with_data {
        Some(first) => mixed(trials.len() - first),
        None if last.is_fast() && !has_its_cookie(trials) => Way::Plain,
        None => Way::Fast,
    })
}

/// How long to wait for the answer of the next connection: as long as is asked for, until one of its kind, or a plain one, was silent all
/// that time. Later ones get less, but several times what an answer took: a server that never answers is not waited for a dozen times.
pub(super) fn silence(evidence: &Evidence, way: Way, patience: Duration) -> Duration {
    const LEAST: Duration = Duration::from_secs(1);
    let silent = |trial: &&Trial| trial.was_silent() && (trial.way == way || !trial.is_fast());
    match evidence.trials.iter().find(silent) {
        None => patience,
        Some(_) => {
            let answers = evidence
                .trials
                .iter()
                .filter_map(|trial| trial.made()?.first_byte());
            let slowest = answers.max().unwrap_or_default();
            patience.min(LEAST + 4 * slowest)
        }
    }
}

/// How long the next connection attempt may take: as long as is asked for, until one was not answered. Later ones get less, in which a
/// SYN is still sent again: a host that does not answer is not waited for three times as long.
pub(super) fn connecting(evidence: &Evidence, patience: Duration) -> Duration {
    const RETRY: Duration = Duration::from_secs(2);
    let none = !evidence.trials.is_empty() && evidence.trials.iter().all(Trial::lost_its_syn);
    if none { patience.min(RETRY) } else { patience }
}

/// The time between two connections to the same address, so as not to burden the server. It varies, so that what is derived from the clock does not
/// repeat itself.
pub(super) fn pause(number: usize) -> Duration {
    const LEAST: u64 = 90;
    Duration::from_millis(LEAST + 13 * (number as u64 * 5 % 8))
}

/// Whether the server has answered no connection of either kind, often enough: more of them would say the same.
fn is_mute(evidence: &Evidence) -> bool {
    let silent = |way| {
        let those = evidence.trials.iter().filter(move |trial| trial.way == way);
        those.filter(|trial| trial.was_silent()).count()
    };
    let all = evidence.trials.iter().all(Trial::was_silent);
    all && silent(Way::Plain) >= 3 && silent(Way::Fast) >= 3
}

/// The sequence of Thue and Morse: as many of one as of the other, never three of a kind in a row, and without a period. Strict turns
/// would let a balancer that hands out connections in turn give all fast ones to the same server.
fn mixed(place: usize) -> Way {
    match place.count_ones() % 2 {
        0 => Way::Fast,
        _ => Way::Plain,
    }
}

/// Whether the last connection asked for a cookie and may have got one; a second request in a row says that none was granted.
fn has_its_cookie(trials: &[Trial]) -> bool {
    let [.., before, last] = trials else { return false };
    last.requested() && last.after != Cached::Nothing && last.made().is_some() && !before.is_fast()
}

/// Whether no server is there, or not any more: something answers the last plain SYN with an error, and none of them connected before, or
/// twice in a row; or nothing answers, so often that losses do not explain it.
fn has_gone(trials: &[Trial]) -> bool {
    let plain = || trials.iter().rev().filter(|trial| !trial.is_fast());
    let failed = plain().take_while(|trial| trial.result.is_err()).count();
    let none_connected = plain().all(|trial| trial.result.is_err());
    match plain().next() {
        Some(last) if last.failed_at_once() => failed >= 2 || none_connected,
        _ => failed >= REPEATS_LOST,
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
