//! Evidence of any kind.

use fastopen::{Outcome, Reason};
use proptest::prelude::*;

use super::{ANSWERED, cookie, made, repeated, trial};
use crate::local_error::LocalError;
use crate::probe::evidence::{Cached, Evidence, Machine, Trial};
use crate::probe::judge::judge;
use crate::probe::schedule;
use crate::probe::verdict::{Judgement, Verdict};
use crate::timed::{Answer, Failure, Way};

/// Everything that a connection can come to, as far as the decision looks.
fn fates() -> Vec<Trial> {
    use Outcome::*;
    let policy = NotAttempted(Reason::Policy);
    let answers = [ANSWERED, Answer::Closed, Answer::Reset, Answer::Silent];
    let failures = [
        Failure::Refused,
        Failure::Unanswered,
        Failure::NoRoute,
        Failure::Here(LocalError::Forbidden, String::new()),
    ];
    let mut fates = Vec::new();
    for answer in answers {
        fates.push(trial(Way::Plain, made(policy, answer), cookie(1), cookie(1)));
        fates.push(trial(
            Way::Plain,
            repeated(made(policy, answer)),
            cookie(1),
            cookie(1),
        ));
        for after in [Cached::Nothing, cookie(1)] {
            fates.push(trial(Way::Fast, made(NoCookie, answer), Cached::Nothing, after));
            fates.push(trial(
                Way::Fast,
                repeated(made(NoCookie, answer)),
                Cached::Nothing,
                after,
            ));
        }
        for outcome in [
            Accepted,
            Ignored,
            SynLost,
            Unknown,
            NotAttempted(Reason::Blackhole),
        ] {
            for (before, after) in [(1, 1), (1, 2), (2, 1)] {
                fates.push(trial(
                    Way::Fast,
                    made(outcome, answer),
                    cookie(before),
                    cookie(after),
                ));
            }
        }
    }
    for failure in failures {
        fates.push(trial(Way::Plain, Err(failure.clone()), cookie(1), cookie(1)));
        fates.push(trial(Way::Fast, Err(failure.clone()), cookie(1), cookie(1)));
        fates.push(trial(Way::Fast, Err(failure), Cached::Nothing, Cached::Nothing));
    }
    fates
}

/// What each verdict must be able to point at, said independently of the code that decides.
fn assert_carried(evidence: &Evidence, judgement: &Judgement) {
    let trials = &evidence.trials;
    let count = |which: &dyn Fn(&Trial) -> bool| trials.iter().filter(|trial| which(trial)).count();
    let plain = |trial: &Trial| trial.way == Way::Plain;
    let fast = |trial: &Trial| trial.way == Way::Fast;
    let served = |trial: &Trial| matches!(&trial.result, Ok(made) if matches!(made.answer, Answer::Bytes(_) | Answer::Closed));
    let cut_off = |trial: &Trial| matches!(&trial.result, Ok(made) if made.answer == Answer::Reset);
    // A server that ends every plain connection without an answer may cut off fast ones.
    let answered = |trial: &Trial| matches!(&trial.result, Ok(made) if !matches!(made.answer, Answer::Closed | Answer::Reset));
    let cuts_off = count(&|trial| plain(trial) && trial.result.is_ok()) > 0
        && count(&|trial| plain(trial) && answered(trial)) == 0;
    let as_good_as_served = |trial: &Trial| served(trial) || (cuts_off && cut_off(trial));
    let accepted = |trial: &Trial| fast(trial) && trial.outcome() == Some(Outcome::Accepted);
    let good = count(&|trial| accepted(trial) && served(trial));
    let as_good = count(&|trial| accepted(trial) && as_good_as_served(trial));
    let plain_made = count(&|trial| plain(trial) && trial.result.is_ok());
    let holds = match judgement.verdict {
        Verdict::Works => as_good > 0 && judgement.causes.is_empty(),
        Verdict::Intermittent => {
            as_good > 0 && count(&|trial| fast(trial) && !(accepted(trial) && served(trial))) >= 2
        }
        Verdict::NoCookie => {
            good == 0
                && count(&|trial| trial.outcome() == Some(Outcome::NoCookie)) >= 2
                && count(&|trial| fast(trial) && trial.after.cookie().is_some()) == 0
        }
        Verdict::CookieRefused => {
            count(&|trial| fast(trial) && trial.before != trial.after && trial.before.cookie().is_some()) >= 2
        }
        Verdict::DataIgnored => good == 0 && count(&|trial| fast(trial) && trial.result.is_ok()) >= 2,
        Verdict::SynLost => {
            good == 0
                && plain_made > 0
                && count(&|trial| {
                    fast(trial)
                        && match &trial.result {
                            Ok(made) => made.syn_repeated == Some(true),
                            Err(failure) => *failure == Failure::Unanswered,
                        }
                }) >= 3
        }
        Verdict::Reset => {
            good == 0
                && plain_made > 0
                && count(&|trial| {
                    fast(trial)
                        && match &trial.result {
                            Ok(made) => made.answer == Answer::Reset,
                            Err(failure) => *failure == Failure::Refused,
                        }
                }) >= 2
        }
        Verdict::Rejected => {
            good == 0
                && plain_made > 0
                && count(&|trial| fast(trial) && trial.result == Err(Failure::NoRoute)) >= 2
        }
        Verdict::Blackholed | Verdict::Silent => {
            good == 0
                && count(&|trial| plain(trial) && served(trial)) > 0
                && count(
                    &|trial| matches!(&trial.result, Ok(made) if fast(trial) && made.answer == Answer::Silent),
                ) >= 2
        }
        Verdict::Unreachable => {
            trials.iter().all(|trial| plain(trial) && trial.result.is_err())
                && (trials.len() >= 3 || count(&|trial| trial.failed_at_once()) > 0)
        }
        Verdict::ThisMachine => {
            evidence.machine != Machine::Ready
                || count(&|trial| matches!(trial.result, Err(Failure::Here(..)))) > 0
                || count(&|trial| matches!(trial.outcome(), Some(Outcome::NotAttempted(Reason::Blackhole))))
                    > 0
        }
        Verdict::Inconclusive => judgement.causes.len() == 1,
    };
    assert!(holds, "{judgement:?} from {evidence:#?}");
}

#[test]
fn no_verdict_goes_beyond_any_evidence_of_up_to_three_connections() {
    let fates = fates();
    let mut evidence = Evidence::new(Machine::Ready, false);
    for first in &fates {
        for second in &fates {
            for third in &fates {
                evidence.trials = vec![first.clone(), second.clone(), third.clone()];
                for len in 0..=3 {
                    let shorter = Evidence {
                        trials: evidence.trials[..len].to_vec(),
                        ..evidence.clone()
                    };
                    assert_carried(&shorter, &judge(&shorter));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_verdict_goes_beyond_the_evidence(picks in proptest::collection::vec(0_usize..1000, 0..20), local: bool) {
        let fates = fates();
        let trials = picks.iter().map(|pick| fates[pick % fates.len()].clone()).collect();
        let evidence = Evidence { trials, ..Evidence::new(Machine::Ready, local) };
        assert_carried(&evidence, &judge(&evidence));
    }

    /// Few kinds of connections at a time, so that verdicts are reached.
    #[test]
    fn nor_where_connections_are_much_alike(kinds in proptest::collection::vec(0_usize..1000, 1..4), picks in proptest::collection::vec(0_usize..3, 0..20)) {
        let fates = fates();
        let trials = picks.iter().map(|pick| fates[kinds[pick % kinds.len()] % fates.len()].clone()).collect();
        let evidence = Evidence { trials, ..Evidence::new(Machine::Ready, false) };
        assert_carried(&evidence, &judge(&evidence));
    }

    #[test]
    fn probing_ends_whatever_happens(picks in proptest::collection::vec(0_usize..1000, 100), wanted in 1_usize..20) {
        let fates = fates();
        let mut evidence = Evidence::new(Machine::Ready, false);
        while let Some(way) = schedule::next(&evidence, wanted) {
            let of_this_way: Vec<_> = fates.iter().filter(|fate| fate.way == way).collect();
            let pick = picks[evidence.trials.len()] % of_this_way.len();
            evidence.trials.push(of_this_way[pick].clone());
            prop_assert!(evidence.trials.len() < picks.len());
        }
    }
}
