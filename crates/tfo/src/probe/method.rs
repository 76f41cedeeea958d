//! Which connection to make next: plain and fast ones, until there is enough to say.

use super::evidence::{Cached, Evidence, Machine, Trial};
use super::judge::judge;
use crate::exchange::Way;

/// How many fast connections are made beyond those asked for, as long as the odds don't say enough.
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
    if has_gone(trials) {
        return None;
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

/// Whether no server is there, or not any more.
fn has_gone(trials: &[Trial]) -> bool {
    let failed = |trial: Option<&Trial>| trial.is_none_or(|trial| trial.result.is_err());
    let mut plain = trials.iter().rev().filter(|trial| !trial.is_fast());
    failed(plain.next()) && failed(plain.next())
}

#[cfg(test)]
#[path = "method_tests.rs"]
mod tests;
