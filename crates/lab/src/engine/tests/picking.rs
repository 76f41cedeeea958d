//! Which packets a rule takes.

use super::*;
use crate::scenario::{OptionState, Pick, SegmentKind};

#[test]
fn rules_take_what_they_say_and_nothing_else() {
    let ends = ends();
    let request = ends.up(1).with_syn().with_fast_open(&[]);
    let plain = ends.up(2).with_syn();
    for (rule, fits) in [
        (Rule::drop(), [true, true, true, true]),
        (Rule::drop().on(SegmentKind::Syn), [true, true, true, false]),
        (Rule::drop().on(SegmentKind::SynAck), [false, false, false, true]),
        (
            Rule::drop().with_option(OptionState::Present),
            [true, true, false, true],
        ),
        (
            Rule::drop().with_option(OptionState::Absent),
            [false, false, true, false],
        ),
        (
            Rule::drop().with_option(OptionState::Request),
            [false, true, false, false],
        ),
        (
            Rule::drop().with_option(OptionState::Cookie),
            [true, false, false, true],
        ),
        (Rule::drop().with_data(true), [true, false, false, false]),
        (Rule::drop().with_data(false), [false, true, true, true]),
        (Rule::drop().port(80), [true, true, true, true]),
        (Rule::drop().port(81), [false, false, false, false]),
        (Rule::drop().from("client"), [true, true, true, false]),
        (Rule::drop().to("client"), [false, false, false, true]),
        (Rule::drop().longer_than(52), [true, false, false, false]),
    ] {
        let mut engine = engine([rule.clone()]);
        let sent = [
            (CLIENT, ends.syn()),
            (CLIENT, request.clone()),
            (CLIENT, plain.clone()),
            (SERVER, ends.syn_ack()),
        ];
        let dropped = sent.map(|(from, segment)| send(&mut engine, ms(0), from, &segment).is_empty());
        assert_eq!(dropped, fits, "{rule:?}");
    }
}

#[test]
fn picks_count_the_packets_that_fit() {
    let taken = |pick| {
        let mut engine = engine([Rule::drop().from("client").pick(pick)]);
        (1..=6)
            .filter(|n| {
                send(&mut engine, ms(0), SERVER, &ends().down(*n).with_ack(0));
                send(&mut engine, ms(0), CLIENT, &ends().up(*n).with_ack(0)).is_empty()
            })
            .collect::<Vec<u32>>()
    };
    assert_eq!(taken(Pick::Nth(3)), [3]);
    assert_eq!(taken(Pick::First(2)), [1, 2]);
    assert_eq!(taken(Pick::From(5)), [5, 6]);
    assert_eq!(taken(Pick::Every(2)), [2, 4, 6]);
    assert_eq!(taken(Pick::Probability(0.0)), []);
    assert_eq!(taken(Pick::Probability(1.0)), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn chance_is_fair_and_the_same_for_the_same_seed() {
    let lost = |seed| {
        let rule = Rule::drop().pick(Pick::Probability(0.2));
        let mut engine = Engine::new(&scenario([rule]).with_seed(seed));
        (0..1000)
            .filter(|n| send(&mut engine, ms(0), CLIENT, &ends().up(*n)).is_empty())
            .collect::<Vec<u32>>()
    };
    assert_eq!(lost(1), lost(1));
    assert_ne!(lost(1), lost(2));
    assert!((150..250).contains(&lost(1).len()), "{}", lost(1).len());
}
