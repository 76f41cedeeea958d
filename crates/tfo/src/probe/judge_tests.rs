//! The decision against simulated servers and paths, whose behaviour is known, and against all possible evidence up to a length.

use std::time::Duration;

use fastopen_wire::Cookie;
use proptest::prelude::*;

use super::super::evidence::Cached;
use super::super::schedule;
use super::*;
use crate::timed::{Answer, Made, Way};

const ANSWERED: Answer = Answer::Bytes(Duration::from_millis(40));

fn cookie(number: u8) -> Cached {
    Cached::Cookie(Cookie::new(&[number; 8]).unwrap())
}

fn made(outcome: Outcome, answer: Answer) -> Result<Made, Failure> {
    Ok(Made {
        syn_bytes: usize::from(!matches!(outcome, Outcome::NoCookie | Outcome::NotAttempted(_))) * 90,
        syn_repeated: Some(outcome == Outcome::SynLost),
        ..Made::sample(outcome, answer)
    })
}

fn repeated(result: Result<Made, Failure>) -> Result<Made, Failure> {
    result.map(|made| Made {
        syn_repeated: Some(true),
        ..made
    })
}

fn trial(way: Way, result: Result<Made, Failure>, before: Cached, after: Cached) -> Trial {
    Trial {
        way,
        result,
        before,
        after,
        wire: None,
    }
}

/// How the connections of a world go. The number is that of the connection, from 0.
struct World {
    name: &'static str,
    /// What becomes of a plain one.
    plain: fn(usize) -> Result<Made, Failure>,
    /// What becomes of one that asks for a cookie, and the cookie.
    request: fn(usize) -> (Result<Made, Failure>, Cached),
    /// What becomes of one that presents this cookie, and the cookie afterwards.
    data: fn(usize, Cached) -> (Result<Made, Failure>, Cached),
    verdict: Verdict,
    causes: &'static [Cause],
}

fn plain(_: usize) -> Result<Made, Failure> {
    made(Outcome::NotAttempted(Reason::Policy), ANSWERED)
}

fn granted(_: usize) -> (Result<Made, Failure>, Cached) {
    (made(Outcome::NoCookie, ANSWERED), cookie(1))
}

fn accepted(_: usize, cookie: Cached) -> (Result<Made, Failure>, Cached) {
    (made(Outcome::Accepted, ANSWERED), cookie)
}

/// Connections go to so many servers in turn, of which some share a key: it grants the cookie of its number.
fn farm(keys: &[u8], number: usize, presented: Cached) -> (Result<Made, Failure>, Cached) {
    let own = cookie(keys[number % keys.len()]);
    let outcome = if own == presented {
        Outcome::Accepted
    } else {
        Outcome::Ignored
    };
    (made(outcome, ANSWERED), own)
}

impl World {
    const GOOD: Self = Self {
        name: "good",
        plain,
        request: granted,
        data: accepted,
        verdict: Verdict::Works,
        causes: &[],
    };

    /// Probes it as the command does, and gives all evidence.
    fn probe(&self, wanted: usize) -> Evidence {
        let mut evidence = Evidence::new(Machine::Ready, false);
        let mut cached = Cached::Nothing;
        while let Some(way) = schedule::next(&evidence, wanted) {
            let number = evidence.trials.len();
            assert!(number < 60, "{} never ends", self.name);
            let (result, after) = match (way, cached) {
                (Way::Plain, _) => ((self.plain)(number), cached),
                (Way::Fast, Cached::Cookie(_)) => (self.data)(number, cached),
                (Way::Fast, _) => (self.request)(number),
            };
            evidence.trials.push(trial(way, result, cached, after));
            cached = after;
        }
        evidence
    }
}

/// Without packets and checks nothing tells these apart.
const NO_COOKIE: &[Cause] = &[
    Cause::ServerBitOff,
    Cause::ListenerOff,
    Cause::ProxyEndsIt,
    Cause::OptionStripped,
    Cause::AnsweredInItsPlace,
    Cause::SynCookies,
    Cause::QueueFull,
    Cause::NeedsNoCookie,
];

fn ended(result: Result<Made, Failure>, end_acknowledged: bool) -> Result<Made, Failure> {
    result.map(|made| Made {
        end_acknowledged: Some(end_acknowledged),
        ..made
    })
}

fn worlds() -> Vec<World> {
    use Cause::*;
    let good = World::GOOD;
    vec![
        World { ..good },
        World {
            name: "server off",
            request: |_| (made(Outcome::NoCookie, ANSWERED), Cached::Nothing),
            verdict: Verdict::NoCookie,
            causes: NO_COOKIE,
            ..good
        },
        World {
            name: "requests dropped",
            request: |_| (repeated(made(Outcome::NoCookie, ANSWERED)), Cached::Nothing),
            verdict: Verdict::SynLost,
            causes: &[RequestDropped],
            ..good
        },
        World {
            name: "requests reset",
            request: |_| (Err(Failure::Refused), Cached::Nothing),
            verdict: Verdict::Reset,
            causes: &[RequestRefused],
            ..good
        },
        World {
            name: "requests hear nothing",
            request: |_| (made(Outcome::NoCookie, Answer::Silent), Cached::Nothing),
            verdict: Verdict::Blackholed,
            causes: &[ApplicationSilent, DroppedAfterwards],
            ..good
        },
        World {
            name: "server off, and silent to everybody",
            plain: |_| made(Outcome::NotAttempted(Reason::Policy), Answer::Silent),
            request: |_| (made(Outcome::NoCookie, Answer::Silent), Cached::Nothing),
            verdict: Verdict::NoCookie,
            causes: NO_COOKIE,
            ..good
        },
        World {
            name: "the application is silent on fast connections",
            data: |_, cookie| (ended(made(Outcome::Accepted, Answer::Silent), true), cookie),
            verdict: Verdict::Silent,
            causes: &[ApplicationSilent, AnswerDropped],
            ..good
        },
        World {
            name: "closes without reading",
            plain: |n| {
                let answer = if n % 3 == 0 { Answer::Reset } else { Answer::Closed };
                made(Outcome::NotAttempted(Reason::Policy), answer)
            },
            request: |_| (made(Outcome::NoCookie, Answer::Closed), cookie(1)),
            data: |_, cookie| (made(Outcome::Accepted, Answer::Reset), cookie),
            ..good
        },
        World {
            name: "resets half of all connections",
            plain: |n| {
                let answer = if n % 2 == 0 { ANSWERED } else { Answer::Reset };
                made(Outcome::NotAttempted(Reason::Policy), answer)
            },
            data: |n, cookie| {
                let answer = if n % 3 == 0 { Answer::Reset } else { ANSWERED };
                (made(Outcome::Accepted, answer), cookie)
            },
            ..good
        },
        World {
            name: "is silent at times, fast or plain",
            plain: |n| {
                let answer = if n % 3 == 0 { Answer::Silent } else { ANSWERED };
                made(Outcome::NotAttempted(Reason::Policy), answer)
            },
            data: |n, cookie| {
                let answer = if n % 2 == 0 { Answer::Silent } else { ANSWERED };
                (made(Outcome::Accepted, answer), cookie)
            },
            ..good
        },
        World {
            name: "ignores data and never answers",
            plain: |_| made(Outcome::NotAttempted(Reason::Policy), Answer::Silent),
            request: |_| (made(Outcome::NoCookie, Answer::Silent), cookie(1)),
            data: |_, cookie| (made(Outcome::Ignored, Answer::Silent), cookie),
            verdict: Verdict::DataIgnored,
            causes: &[
                OptionStripped,
                AnsweredInItsPlace,
                SynCookies,
                QueueFull,
                CookieAltered,
            ],
        },
        World {
            name: "data ignored",
            data: |_, cookie| (made(Outcome::Ignored, ANSWERED), cookie),
            verdict: Verdict::DataIgnored,
            causes: &[
                OptionStripped,
                AnsweredInItsPlace,
                SynCookies,
                QueueFull,
                CookieAltered,
            ],
            ..good
        },
        World {
            name: "data dropped",
            data: |_, cookie| (made(Outcome::SynLost, ANSWERED), cookie),
            verdict: Verdict::SynLost,
            causes: &[FastSynDropped],
            ..good
        },
        World {
            name: "the flow of a fast SYN is dropped",
            data: |_, cookie| (Err(Failure::Unanswered), cookie),
            verdict: Verdict::SynLost,
            causes: &[FastSynDropped],
            ..good
        },
        World {
            name: "reset",
            data: |_, cookie| (Err(Failure::Refused), cookie),
            verdict: Verdict::Reset,
            causes: &[FastSynRefused],
            ..good
        },
        World {
            name: "reset after the handshake",
            data: |_, cookie| (made(Outcome::Accepted, Answer::Reset), cookie),
            verdict: Verdict::Reset,
            causes: &[ServerResets, ResetOnTheWay],
            ..good
        },
        World {
            name: "blackhole",
            data: |_, cookie| (ended(made(Outcome::Accepted, Answer::Silent), false), cookie),
            verdict: Verdict::Blackholed,
            causes: &[DroppedAfterwards],
            ..good
        },
        World {
            name: "mute",
            plain: |_| made(Outcome::NotAttempted(Reason::Policy), Answer::Silent),
            request: |_| (made(Outcome::NoCookie, Answer::Silent), cookie(1)),
            data: |_, cookie| (made(Outcome::Accepted, Answer::Silent), cookie),
            verdict: Verdict::Inconclusive,
            causes: &[NoAnswerEither],
        },
        World {
            name: "closes without an answer",
            plain: |_| made(Outcome::NotAttempted(Reason::Policy), Answer::Closed),
            request: |_| (made(Outcome::NoCookie, Answer::Closed), cookie(1)),
            data: |_, cookie| (made(Outcome::Accepted, Answer::Closed), cookie),
            ..good
        },
        World {
            name: "cuts off everybody",
            plain: |_| made(Outcome::NotAttempted(Reason::Policy), Answer::Reset),
            request: |_| (made(Outcome::NoCookie, Answer::Reset), cookie(1)),
            data: |_, cookie| (made(Outcome::Accepted, Answer::Reset), cookie),
            ..good
        },
        World {
            name: "closed port",
            plain: |_| Err(Failure::Refused),
            verdict: Verdict::Unreachable,
            causes: &[Refused, PortUnreachable],
            ..good
        },
        World {
            name: "nobody there",
            plain: |_| Err(Failure::Unanswered),
            verdict: Verdict::Unreachable,
            causes: &[Unanswered],
            ..good
        },
        World {
            name: "no route",
            plain: |_| Err(Failure::NoRoute),
            verdict: Verdict::Unreachable,
            causes: &[NoRoute, IcmpUnreachable],
            ..good
        },
        World {
            name: "not permitted here",
            plain: |_| Err(Failure::Here("EPERM".to_owned())),
            verdict: Verdict::ThisMachine,
            causes: &[RefusedHere],
            ..good
        },
        World {
            name: "the kernel's blackhole timer",
            data: |_, cookie| (made(Outcome::NotAttempted(Reason::Blackhole), ANSWERED), cookie),
            verdict: Verdict::ThisMachine,
            causes: &[BlackholeTimer],
            ..good
        },
        World {
            name: "old kernel",
            data: |_, cookie| (made(Outcome::Unknown, ANSWERED), cookie),
            verdict: Verdict::Inconclusive,
            causes: &[KernelDoesNotTell],
            ..good
        },
        World {
            name: "two servers, two keys",
            request: |n| farm(&[1, 2], n, Cached::Nothing),
            data: |n, presented| farm(&[1, 2], n, presented),
            verdict: Verdict::CookieRefused,
            causes: &[KeysDiffer, AddressChanges],
            ..good
        },
        World {
            name: "three servers, one with a key of its own",
            request: |n| farm(&[1, 1, 2], n, Cached::Nothing),
            data: |n, presented| farm(&[1, 1, 2], n, presented),
            verdict: Verdict::CookieRefused,
            causes: &[KeysDiffer, AddressChanges],
            ..good
        },
        World {
            name: "a key that was rotated once",
            data: |n, presented| match n {
                4 => (made(Outcome::Ignored, ANSWERED), cookie(2)),
                _ => accepted(n, presented),
            },
            ..good
        },
        World {
            name: "one of two servers has it off",
            data: |n, presented| match n % 2 {
                0 => accepted(n, presented),
                _ => (made(Outcome::Ignored, ANSWERED), presented),
            },
            verdict: Verdict::Intermittent,
            causes: &[SometimesIgnored],
            ..good
        },
        World {
            name: "one SYN lost",
            data: |n, presented| match n {
                2 => (made(Outcome::SynLost, ANSWERED), presented),
                _ => accepted(n, presented),
            },
            ..good
        },
        World {
            name: "a path that loses every SYN, whatever its kind",
            plain: |n| repeated(plain(n)),
            data: |_, presented| (made(Outcome::SynLost, ANSWERED), presented),
            verdict: Verdict::Inconclusive,
            causes: &[Mixed],
            ..good
        },
        World {
            name: "a server that goes away",
            plain: |n| if n < 3 { plain(n) } else { Err(Failure::Refused) },
            data: |_, presented| (Err(Failure::Refused), presented),
            verdict: Verdict::Inconclusive,
            causes: &[Mixed],
            ..good
        },
    ]
}

#[test]
fn each_world_gets_its_verdict_and_the_causes_that_it_leaves_open() {
    for world in worlds() {
        let evidence = world.probe(3);
        let judgement = judge(&evidence);
        assert_eq!(
            (judgement.verdict, judgement.causes.as_slice()),
            (world.verdict, world.causes),
            "{}: {evidence:#?}",
            world.name
        );
    }
}

#[test]
fn one_connection_is_enough_to_ask_for_and_not_to_condemn() {
    for world in worlds() {
        let judgement = judge(&world.probe(1));
        let found_by_chance = ["one SYN lost", "one of two servers has it off"].contains(&world.name)
            || world.verdict == Verdict::CookieRefused;
        assert!(
            judgement.verdict == world.verdict || (found_by_chance && judgement.verdict == Verdict::Works),
            "{}: {judgement:?}",
            world.name
        );
    }
}

#[test]
fn the_path_is_not_blamed_where_there_is_none() {
    for mut evidence in worlds().into_iter().map(|world| world.probe(3)) {
        evidence.local = true;
        let causes = judge(&evidence).causes;
        for path in [
            Cause::OptionStripped,
            Cause::AnsweredInItsPlace,
            Cause::CookieAltered,
            Cause::AddressChanges,
        ] {
            assert!(!causes.contains(&path), "{causes:?}");
        }
    }
}

#[test]
fn this_machine_is_asked_first() {
    for (machine, cause) in [
        (Machine::SwitchedOff, Cause::ClientBitOff),
        (Machine::Incapable, Cause::KernelLacksIt),
    ] {
        let evidence = Evidence::new(machine, false);
        assert_eq!(schedule::next(&evidence, 3), None);
        assert_eq!(
            judge(&evidence),
            Judgement::certain(Verdict::ThisMachine, [cause])
        );
    }
}

/// Everything that a connection can come to, as far as the decision looks.
fn fates() -> Vec<Trial> {
    use Outcome::*;
    let policy = NotAttempted(Reason::Policy);
    let answers = [ANSWERED, Answer::Closed, Answer::Reset, Answer::Silent];
    let failures = [
        Failure::Refused,
        Failure::Unanswered,
        Failure::NoRoute,
        Failure::Here(String::new()),
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

/// What each verdict must be able to point at, told without the decision's own words.
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
                || count(&|trial| matches!(trial.result, Err(Failure::Here(_)))) > 0
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
