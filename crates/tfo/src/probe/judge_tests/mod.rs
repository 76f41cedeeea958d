//! The decision against simulated servers and paths, whose behaviour is known, and against all possible evidence up to a length.

mod evidence;
mod worlds;

use std::time::Duration;

use fastopen::Outcome;
use fastopen_wire::Cookie;

use crate::probe::evidence::{Cached, Evidence, Machine, Trial};
use crate::probe::judge::judge;
use crate::probe::schedule;
use crate::probe::verdict::{Cause, Judgement, Verdict};
use crate::timed::{Answer, Failure, Made, Way};

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
