use proptest::prelude::*;

use super::*;
use crate::outcome::Reason;

const DELAY: Duration = Duration::from_millis(250);
const REFUSED: CallError = CallError::from_code("connect", 111);

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 80))
}

fn fast(last: u8) -> Plan {
    Plan {
        address: address(last),
        syn: PlannedSyn::Fast,
        plain_after: Some(DELAY),
    }
}

fn plain(last: u8) -> Plan {
    Plan {
        address: address(last),
        syn: PlannedSyn::Plain(Outcome::NotAttempted(Reason::Policy)),
        plain_after: None,
    }
}

fn joining(last: u8) -> Plan {
    Plan {
        address: address(last),
        syn: PlannedSyn::Plain(Outcome::SynLost),
        plain_after: None,
    }
}

fn race(plans: impl IntoIterator<Item = Plan>, now: Instant) -> Race {
    Race::new(
        plans,
        Settings {
            address_delay: DELAY,
            attempt_timeout: None,
            timeout: None,
        },
        now,
    )
}

#[test]
fn addresses_start_one_delay_apart() {
    let t = Instant::now();
    let mut race = race([plain(1), plain(2)], t);
    assert_eq!(race.next(t), Action::Start(0, plain(1)));
    assert_eq!(race.next(t), Action::Wait(Some(t + DELAY)));
    assert_eq!(race.next(t + DELAY), Action::Start(1, plain(2)));
    assert_eq!(race.next(t + DELAY), Action::Wait(None));
}

#[test]
fn an_attempt_with_a_limit_makes_way_for_its_plain_one_and_the_next_address() {
    const LIMIT: Duration = Duration::from_millis(100);
    let t = Instant::now();
    let settings = Settings {
        address_delay: DELAY,
        attempt_timeout: Some(LIMIT),
        timeout: None,
    };
    let mut race = Race::new([fast(1), plain(2)], settings, t);
    assert_eq!(race.next(t), Action::Start(0, fast(1)));
    race.started(0, Sent::InSyn(5));
    assert_eq!(race.next(t), Action::Wait(Some(t + LIMIT)));
    assert_eq!(race.next(t + LIMIT), Action::Abandon(0));
    assert_eq!(race.next(t + LIMIT), Action::Start(1, joining(1)));
    assert_eq!(race.next(t + LIMIT), Action::Start(2, plain(2)));
    assert_eq!(race.next(t + LIMIT), Action::Wait(Some(t + LIMIT * 2)));
    assert_eq!(race.next(t + LIMIT * 2), Action::Abandon(1));
    assert_eq!(race.next(t + LIMIT * 2), Action::Abandon(2));
    assert_eq!(race.next(t + LIMIT * 2), Action::Failed);
    let attempts = race.take_attempts(t + LIMIT * 2);
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.end == AttemptEnd::Unanswered)
    );
}

#[test]
fn a_failure_starts_the_next_address_at_once() {
    let t = Instant::now();
    let mut race = race([plain(1), plain(2)], t);
    assert_eq!(race.next(t), Action::Start(0, plain(1)));
    race.failed(0, REFUSED, t);
    assert_eq!(race.next(t), Action::Start(1, plain(2)));
    race.failed_to_start(1, REFUSED, t);
    assert_eq!(race.next(t), Action::Failed);
}

#[test]
fn a_fast_attempt_without_an_answer_is_joined_by_a_plain_one_once() {
    let t = Instant::now();
    let mut race = race([fast(1)], t);
    assert_eq!(race.next(t), Action::Start(0, fast(1)));
    race.started(0, Sent::InSyn(18));
    assert_eq!(race.next(t), Action::Wait(Some(t + DELAY)));
    assert_eq!(race.next(t + DELAY), Action::Start(1, joining(1)));
    race.started(1, Sent::Plain(Outcome::SynLost));
    assert_eq!(race.next(t + 9 * DELAY), Action::Wait(None));
    race.connected(1, t + 9 * DELAY);
    let attempts = race.take_attempts(t + 9 * DELAY);
    assert_eq!(attempts[0].syn, Syn::Fast { bytes: 18 });
    assert_eq!(
        (attempts[0].end, attempts[0].elapsed),
        (AttemptEnd::Unanswered, 9 * DELAY)
    );
    assert_eq!(
        (attempts[1].end, attempts[1].started, attempts[1].elapsed),
        (AttemptEnd::Connected, DELAY, 8 * DELAY)
    );
}

#[test]
fn each_fast_attempt_has_a_time_of_its_own() {
    let t = Instant::now();
    let soon = Plan {
        plain_after: Some(DELAY / 5),
        ..fast(1)
    };
    let mut race = race([soon, fast(2)], t);
    assert_eq!(race.next(t), Action::Start(0, soon));
    race.started(0, Sent::InSyn(5));
    assert_eq!(race.next(t), Action::Wait(Some(t + DELAY / 5)));
    assert_eq!(race.next(t + DELAY / 5), Action::Start(1, joining(1)));
    assert_eq!(
        race.next(t + DELAY / 5),
        Action::Wait(Some(t + DELAY)),
        "the address waits as ever"
    );
}

#[test]
fn a_fast_attempt_can_be_given_another_time_once_it_is_under_way() {
    let t = Instant::now();
    let mut race = race([fast(1)], t);
    race.next(t);
    race.started(0, Sent::InSyn(5));
    race.plain_joins_after(0, DELAY / 5);
    assert_eq!(race.next(t + DELAY / 6), Action::Wait(Some(t + DELAY / 5)));
    assert_eq!(race.next(t + DELAY / 5), Action::Start(1, joining(1)));
    race.plain_joins_after(0, 2 * DELAY);
    race.plain_joins_after(1, 2 * DELAY);
    assert_eq!(race.next(t + 3 * DELAY), Action::Wait(None), "it is joined once");
}

#[test]
fn a_fast_attempt_that_is_reset_is_replaced_at_once() {
    let t = Instant::now();
    let mut race = race([fast(1), fast(2)], t);
    assert_eq!(race.next(t), Action::Start(0, fast(1)));
    race.failed(0, REFUSED, t);
    assert_eq!(race.next(t), Action::Start(1, joining(1)));
    race.failed(1, REFUSED, t);
    assert_eq!(race.next(t), Action::Start(2, fast(2)));
}

#[test]
fn a_fast_attempt_that_was_joined_and_then_reset_is_not_joined_again() {
    let t = Instant::now();
    let mut race = race([fast(1)], t);
    race.next(t);
    assert_eq!(race.next(t + DELAY), Action::Start(1, joining(1)));
    race.failed(0, REFUSED, t + DELAY);
    assert_eq!(race.next(t + DELAY), Action::Wait(None));
    race.failed(1, REFUSED, t + DELAY);
    assert_eq!(race.next(t + DELAY), Action::Failed);
}

#[test]
fn an_attempt_that_turned_out_plain_is_not_joined() {
    let t = Instant::now();
    let mut race = race([fast(1)], t);
    race.next(t);
    race.started(0, Sent::Plain(Outcome::NotAttempted(Reason::Sysctl)));
    assert_eq!(race.next(t + DELAY), Action::Wait(None));
    race.failed(0, REFUSED, t + DELAY);
    assert_eq!(race.next(t + DELAY), Action::Failed);
}

#[test]
fn where_fast_open_is_required_nothing_plain_joins() {
    let t = Instant::now();
    let required = Plan {
        plain_after: None,
        ..fast(1)
    };
    let mut race = race([required], t);
    race.next(t);
    assert_eq!(race.next(t + DELAY), Action::Wait(None));
    race.failed(0, REFUSED, t + DELAY);
    assert_eq!(race.next(t + DELAY), Action::Failed);
}

#[test]
fn the_deadline_ends_it() {
    let t = Instant::now();
    let settings = Settings {
        address_delay: DELAY,
        attempt_timeout: None,
        timeout: Some(DELAY / 2),
    };
    let mut race = Race::new([fast(1)], settings, t);
    race.next(t);
    assert_eq!(race.next(t), Action::Wait(Some(t + DELAY / 2)));
    assert_eq!(race.next(t + DELAY / 2), Action::TimedOut);
}

#[test]
fn delays_beyond_the_clock_are_taken() {
    let t = Instant::now();
    let settings = Settings {
        address_delay: Duration::MAX,
        attempt_timeout: None,
        timeout: Some(Duration::MAX),
    };
    let patient = |last| Plan {
        plain_after: Some(Duration::MAX),
        ..fast(last)
    };
    let mut race = Race::new([patient(1), patient(2)], settings, t);
    race.next(t);
    assert!(matches!(race.next(t), Action::Wait(Some(until)) if until > t));
}

#[test]
fn a_thousand_addresses_that_never_answer_hold_few_sockets_at_once() {
    let t = Instant::now();
    let mut race = race((0..1000).map(|i| fast((i % 250) as u8)), t);
    let (mut now, mut open, mut started) = (t, 0_usize, 0);
    loop {
        match race.next(now) {
            Action::Start(..) => (open, started) = (open + 1, started + 1),
            Action::Abandon(_) => open -= 1,
            Action::Wait(Some(until)) => now = until,
            Action::Wait(None) => break,
            Action::Failed | Action::TimedOut => unreachable!("attempts are under way"),
        }
        assert!(open <= MAX_UNDER_WAY);
    }
    assert_eq!(started, 2000);
    assert_eq!(now, t + 1000 * DELAY);
}

proptest! {
    /// Whatever happens and whenever: each address is tried, fast ones plainly too unless they connect, and it ends.
    #[test]
    fn every_race_ends_and_tries_all_there_is(
        kinds in prop::collection::vec(any::<bool>(), 0..6),
        events in prop::collection::vec((0_u8..4, 0_u64..400), 0..60),
    ) {
        let t = Instant::now();
        let plans: Vec<_> = kinds.iter().enumerate().map(|(i, is_fast)| if *is_fast { fast(i as u8) } else { plain(i as u8) }).collect();
        let mut race = race(plans.clone(), t);
        let (mut now, mut open, mut started) = (t, Vec::new(), Vec::new());
        let mut events = events.into_iter();
        let won = loop {
            match race.next(now) {
                Action::Start(id, plan) => {
                    prop_assert_eq!(id, started.len());
                    started.push(plan);
                    open.push(id);
                    match (events.next(), plan.syn) {
                        (Some((0, _)), _) => {
                            open.pop();
                            race.failed_to_start(id, REFUSED, now);
                        }
                        (_, PlannedSyn::Plain(outcome)) => race.started(id, Sent::Plain(outcome)),
                        (_, PlannedSyn::Fast) => race.started(id, Sent::InSyn(5)),
                    }
                }
                Action::Abandon(id) => open.retain(|other| *other != id),
                Action::Wait(until) => {
                    prop_assert!(!open.is_empty());
                    prop_assert!(until.is_none_or(|until| until > now), "it never spins");
                    match events.next() {
                        Some((1, _)) => break Some(open[0]),
                        Some((2, after)) => {
                            now += Duration::from_millis(after);
                            race.failed(open.remove(0), REFUSED, now);
                        }
                        Some((_, after)) => now += Duration::from_millis(after),
                        None => race.failed(open.remove(0), REFUSED, until.unwrap_or(now)),
                    }
                }
                Action::Failed => break None,
                Action::TimedOut => unreachable!("there is no timeout"),
            }
        };
        if let Some(id) = won { race.connected(id, now) }
        let attempts = race.take_attempts(now);
        prop_assert_eq!(attempts.len(), started.len());
        prop_assert_eq!(attempts.iter().filter(|attempt| attempt.end == AttemptEnd::Connected).count(), usize::from(won.is_some()));
        if won.is_none() {
            for plan in plans {
                prop_assert!(started.contains(&plan));
            }
        }
        for joined in started.iter().filter(|plan| plan.syn == PlannedSyn::Plain(Outcome::SynLost)) {
            prop_assert_eq!(started.iter().filter(|plan| *plan == joined).count(), 1, "a fast attempt is joined once");
        }
    }
}
