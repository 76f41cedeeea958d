//! Simulated servers and paths.

use fastopen::{Outcome, Reason};
use fastopen_host::connecting::IcmpError;

use super::{ANSWERED, cookie, made, repeated, trial};
use crate::local_error::LocalError;
use crate::probe::evidence::{Cached, Evidence, Machine, Reply};
use crate::probe::icmp::Rejection;
use crate::probe::judge::judge;
use crate::probe::schedule;
use crate::probe::verdict::{Cause, Judgement, Verdict};
use crate::probe::words;
use crate::timed::{Answer, Failure, Made, Way};

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

fn plainly(answer: Answer) -> Result<Made, Failure> {
    made(Outcome::NotAttempted(Reason::Policy), answer)
}

fn plain(_: usize) -> Result<Made, Failure> {
    plainly(ANSWERED)
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

/// The same where there is a cookie.
const DATA_IGNORED: &[Cause] = &[
    Cause::OptionStripped,
    Cause::DataStripped,
    Cause::AnsweredInItsPlace,
    Cause::SynCookies,
    Cause::QueueFull,
    Cause::CookieAltered,
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
            causes: &[RequestDropped, FastSynRejected],
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
            name: "connections that ask for a cookie get no answer",
            request: |_| (made(Outcome::NoCookie, Answer::Silent), Cached::Nothing),
            verdict: Verdict::Blackholed,
            causes: &[ApplicationSilent, DroppedAfterwards],
            ..good
        },
        World {
            name: "server off, and silent to everybody",
            plain: |_| plainly(Answer::Silent),
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
                plainly(answer)
            },
            request: |_| (made(Outcome::NoCookie, Answer::Closed), cookie(1)),
            data: |_, cookie| (made(Outcome::Accepted, Answer::Reset), cookie),
            ..good
        },
        World {
            name: "resets half of all connections",
            plain: |n| {
                let answer = if n % 2 == 0 { ANSWERED } else { Answer::Reset };
                plainly(answer)
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
                plainly(answer)
            },
            data: |n, cookie| {
                let answer = if n % 2 == 0 { Answer::Silent } else { ANSWERED };
                (made(Outcome::Accepted, answer), cookie)
            },
            ..good
        },
        World {
            name: "ignores data and never answers",
            plain: |_| plainly(Answer::Silent),
            request: |_| (made(Outcome::NoCookie, Answer::Silent), cookie(1)),
            data: |_, cookie| (made(Outcome::Ignored, Answer::Silent), cookie),
            verdict: Verdict::DataIgnored,
            causes: DATA_IGNORED,
        },
        World {
            name: "data ignored",
            data: |_, cookie| (made(Outcome::Ignored, ANSWERED), cookie),
            verdict: Verdict::DataIgnored,
            causes: DATA_IGNORED,
            ..good
        },
        World {
            name: "data dropped",
            data: |_, cookie| (made(Outcome::SynLost, ANSWERED), cookie),
            verdict: Verdict::SynLost,
            causes: &[FastSynDropped, FastSynRejected],
            ..good
        },
        World {
            name: "the flow of a fast SYN is dropped",
            data: |_, cookie| (Err(Failure::Unanswered), cookie),
            verdict: Verdict::SynLost,
            causes: &[FastSynDropped, FastSynRejected],
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
            plain: |_| plainly(Answer::Silent),
            request: |_| (made(Outcome::NoCookie, Answer::Silent), cookie(1)),
            data: |_, cookie| (made(Outcome::Accepted, Answer::Silent), cookie),
            verdict: Verdict::Inconclusive,
            causes: &[NoAnswerEither],
        },
        World {
            name: "closes without an answer",
            plain: |_| plainly(Answer::Closed),
            request: |_| (made(Outcome::NoCookie, Answer::Closed), cookie(1)),
            data: |_, cookie| (made(Outcome::Accepted, Answer::Closed), cookie),
            ..good
        },
        World {
            name: "cuts off everybody",
            plain: |_| plainly(Answer::Reset),
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
            plain: |_| Err(Failure::Here(LocalError::Forbidden, "EPERM".to_owned())),
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

/// To a program, a SYN that is rejected while it is being sent looks like a lost one: a socket that keeps ICMP errors tells.
#[test]
fn a_lost_syn_may_have_been_rejected() {
    let icmp = IcmpError {
        from: [192, 0, 2, 254].into(),
        v6: false,
        kind: 3,
        code: 13,
    };
    let rejection = Rejection::new(icmp, [192, 0, 2, 2].into(), None);
    let lost = worlds()
        .into_iter()
        .filter(|world| world.verdict == Verdict::SynLost);
    for mut evidence in lost.map(|world| world.probe(3)) {
        let open = judge(&evidence).causes;
        assert!(open.len() == 2 && open[1] == Cause::FastSynRejected, "{open:?}");
        evidence.checks.fast_failure = Some(Reply::Nothing);
        assert_eq!(judge(&evidence).causes, open[..1]);
        evidence.checks.fast_failure = Some(Reply::Icmp(rejection));
        let judgement = Judgement::certain(Verdict::Rejected, [Cause::FastSynRejected]);
        assert_eq!(judge(&evidence), judgement);
        let says = words::says(&judgement, &evidence);
        assert!(
            says.contains("administratively prohibited (ICMP type 3, code 13) from 192.0.2.254"),
            "{says}"
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
            Cause::DataStripped,
            Cause::AnsweredInItsPlace,
            Cause::CookieAltered,
            Cause::AddressChanges,
        ] {
            assert!(!causes.contains(&path), "{causes:?}");
        }
    }
}
