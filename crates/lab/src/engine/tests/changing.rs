//! What rules do to a packet.

use fastopen_wire::{Cookie, OptionKind};

use super::*;
use crate::scenario::{Forgery, SegmentKind};

#[test]
fn without_rules_everything_crosses_in_half_a_round_trip() {
    for family in FAMILIES {
        let (mut engine, ends) = (engine([]), Ends::new(family));
        let sent = ends.syn().to_packet();
        engine.arrive(ms(5), CLIENT, sent.clone());
        assert_eq!(engine.next_due(), Some(ms(35)));
        assert_eq!(engine.depart(ms(34)), None);
        let expected = Departure {
            at: ms(35),
            from: Some(CLIENT),
            to: SERVER,
            packet: sent,
        };
        assert_eq!(engine.depart(ms(35)), Some(expected));
        assert_eq!(engine.next_due(), None);
    }
}

#[test]
fn delays_add_up_and_keep_the_order() {
    let mut engine = engine([Rule::delay(ms(7)).from("client"), Rule::delay(ms(2))]);
    let ends = ends();
    engine.arrive(ms(0), CLIENT, ends.syn().to_packet());
    engine.arrive(ms(0), CLIENT, ends.ack().to_packet());
    engine.arrive(ms(0), SERVER, ends.syn_ack().to_packet());
    let departures = drain(&mut engine);
    assert_eq!(
        arrivals(&departures),
        [(ms(32), CLIENT), (ms(39), SERVER), (ms(39), SERVER)]
    );
    assert_eq!(built(&departures[1]), ends.syn());
}

#[test]
fn a_duplicate_comes_twice_at_the_same_time() {
    let mut engine = engine([Rule::duplicate()]);
    let departures = send(&mut engine, ms(0), CLIENT, &ends().syn());
    assert_eq!(departures.len(), 2);
    assert_eq!(departures[0], departures[1]);
}

#[test]
fn stripped_data_is_gone_and_the_cookie_is_there() {
    for family in FAMILIES {
        let rule = Rule::strip_data().on(SegmentKind::Syn);
        let (mut engine, ends) = (engine([rule]), Ends::new(family));
        let sent = ends.syn().to_packet();
        let syn = &send(&mut engine, ms(0), CLIENT, &ends.syn())[0];
        assert!(crate::packet::is_right(&syn.packet));
        let (sent, came) = (
            Segment::from_ip(&sent).unwrap(),
            Segment::from_ip(&syn.packet).unwrap(),
        );
        assert_eq!((came.payload, came.options), (&b""[..], sent.options));
        assert_ne!(fast_open(syn), FastOpen::Absent);
    }
}

#[test]
fn a_stripped_option_is_gone_and_the_rest_is_there() {
    for family in FAMILIES {
        let (mut engine, ends) = (
            engine([Rule::strip_option().on(SegmentKind::Syn)]),
            Ends::new(family),
        );
        let syn = &send(&mut engine, ms(0), CLIENT, &ends.syn())[0];
        assert_eq!(fast_open(syn), FastOpen::Absent);
        assert_eq!(Segment::from_ip(&syn.packet).unwrap().payload, b"hello");
        let syn_ack = &send(&mut engine, ms(0), SERVER, &ends.syn_ack())[0];
        assert_eq!(built(syn_ack), ends.syn_ack());
    }
}

#[test]
fn cookies_are_forged() {
    let cookie = |bytes: &[u8]| FastOpen::Cookie(OptionKind::Standard, Cookie::new(bytes).unwrap());
    for (forgery, expected) in [
        (Forgery::Invert, cookie(&COOKIE.map(|byte| !byte))),
        (Forgery::Set(vec![9; 4]), cookie(&[9; 4])),
        (Forgery::Resize(6), cookie(&COOKIE[..6])),
        (Forgery::Resize(10), cookie(&[1, 2, 3, 4, 5, 6, 7, 8, 0, 0])),
        (Forgery::Resize(0), FastOpen::Request(OptionKind::Standard)),
        (
            Forgery::Set(vec![9; 5]),
            FastOpen::Malformed {
                kind: OptionKind::Standard,
                cookie_len: 5,
            },
        ),
    ] {
        for family in FAMILIES {
            let (mut engine, ends) = (engine([Rule::forge_cookie(forgery.clone())]), Ends::new(family));
            let departures = send(&mut engine, ms(0), CLIENT, &ends.syn());
            assert_eq!(fast_open(&departures[0]), expected);
        }
    }
}

#[test]
fn a_reset_goes_back_to_the_sender_with_numbers_that_it_believes() {
    let (mut engine, ends) = (engine([Rule::reset()]), ends());
    let back = send(&mut engine, ms(0), CLIENT, &ends.syn());
    assert_eq!(arrivals(&back), [(2 * ONE_WAY, CLIENT)]);
    assert_eq!(
        built(&back[0]),
        ends.down(0).with_rst().with_ack(106).with_window(0)
    );
    let back = send(&mut engine, ms(0), SERVER, &ends.syn_ack());
    assert_eq!(built(&back[0]), ends.up(106).with_rst().with_window(0));
    assert_eq!(send(&mut engine, ms(0), SERVER, &ends.down(5).with_rst()), []);
}

#[test]
fn packets_that_are_not_tcp_are_delayed_and_dropped_like_others() {
    let mut udp = ends().syn().to_packet();
    udp[9] = 17;
    let mut engine = engine([
        Rule::drop().on(SegmentKind::Syn),
        Rule::delay(ms(1)),
        Rule::duplicate(),
    ]);
    engine.arrive(ms(0), CLIENT, udp.clone());
    let mut arrived = Vec::new();
    while let Some(departure) = engine.depart(Duration::MAX) {
        arrived.push((departure.at, departure.packet));
    }
    assert_eq!(arrived, [(ms(31), udp.clone()), (ms(31), udp)]);
}

#[test]
fn nonsense_is_counted_and_dropped() {
    let mut engine = engine([Rule::duplicate(), Rule::strip_option(), Rule::reset()]);
    for packet in [vec![], vec![0x45], vec![0x60; 39], vec![0xff; 60]] {
        engine.arrive(ms(0), CLIENT, packet);
    }
    assert_eq!(drain(&mut engine), []);
}

#[test]
fn an_injected_packet_is_there_at_once() {
    let mut engine = engine([Rule::drop()]);
    let packet = ends().syn().to_packet();
    assert!(engine.inject(ms(5), packet.clone()));
    let expected = Departure {
        at: ms(5),
        from: None,
        to: SERVER,
        packet,
    };
    assert_eq!(engine.depart(ms(5)), Some(expected));
    assert!(!engine.inject(ms(5), Ends::new(["192.0.2.1:1", "192.0.2.9:1"]).syn().to_packet()));
}
