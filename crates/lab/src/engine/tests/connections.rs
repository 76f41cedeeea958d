//! What rules do to a connection.

use std::net::IpAddr;

use super::*;
use crate::scenario::{Balance, Farm, HostSpec, Moment, Pick, Rebind, SegmentKind};

#[test]
fn a_held_ack_and_what_follows_wait_for_their_release() {
    let rule = Rule::hold(Moment::Released).on(SegmentKind::HandshakeAck);
    let (mut engine, ends) = (engine([rule]), ends());
    handshake(&mut engine, &ends);
    assert_eq!(send(&mut engine, ms(60), CLIENT, &ends.ack()), []);
    assert_eq!(
        send(&mut engine, ms(70), CLIENT, &ends.ack().with_data("more")),
        []
    );
    // The other direction and other connections go on.
    assert_eq!(
        send(&mut engine, ms(70), SERVER, &ends.down(901).with_ack(106)).len(),
        1
    );
    let other = Ends::new(["192.0.2.1:40001", "192.0.2.2:80"]);
    assert_eq!(send(&mut engine, ms(70), CLIENT, &other.syn()).len(), 1);

    assert_eq!(engine.release(ms(500)), 2);
    let departures = drain(&mut engine);
    assert_eq!(arrivals(&departures), [(ms(500), SERVER), (ms(500), SERVER)]);
    assert_eq!(built(&departures[0]), ends.ack());
    // Once released the connection is left alone.
    assert_eq!(
        arrivals(&send(&mut engine, ms(510), CLIENT, &ends.ack())),
        [(ms(540), SERVER)]
    );
    assert_eq!(engine.release(ms(600)), 0);
}

#[test]
fn a_hold_ends_by_itself_and_keeps_the_order() {
    let rule = Rule::hold(Moment::After(ms(200))).on(SegmentKind::HandshakeAck);
    let (mut engine, ends) = (engine([rule]), ends());
    handshake(&mut engine, &ends);
    engine.arrive(ms(60), CLIENT, ends.ack().to_packet());
    engine.arrive(ms(100), CLIENT, ends.ack().with_data("more").to_packet());
    engine.arrive(ms(300), CLIENT, ends.ack().with_data("last").to_packet());
    let departures = drain(&mut engine);
    assert_eq!(
        arrivals(&departures),
        [(ms(290), SERVER), (ms(290), SERVER), (ms(330), SERVER)]
    );
    assert_eq!(built(&departures[0]), ends.ack());
}

#[test]
fn a_hold_can_be_for_one_segment_alone() {
    let mut rule = Rule::hold(Moment::Released).on(SegmentKind::HandshakeAck);
    if let crate::scenario::Action::Hold(hold) = &mut rule.action {
        hold.following = false;
    }
    let (mut engine, ends) = (engine([rule]), ends());
    handshake(&mut engine, &ends);
    assert_eq!(send(&mut engine, ms(60), CLIENT, &ends.ack()), []);
    assert_eq!(
        send(&mut engine, ms(61), CLIENT, &ends.ack().with_data("more")).len(),
        1
    );
    assert_eq!(engine.release(ms(62)), 1);
}

fn replay(closed: bool, source_port: Option<u16>) -> Rule {
    let mut rule = Rule::replay(ms(500)).on(SegmentKind::Syn);
    if let crate::scenario::Action::Replay(replay) = &mut rule.action {
        (replay.closed, replay.source_port) = (closed, source_port);
    }
    rule
}

#[test]
fn a_replay_is_the_same_segment_later_from_a_port_of_choice() {
    let (mut engine, ends) = (engine([replay(false, Some(4242)), Rule::strip_option()]), ends());
    let departures = send(&mut engine, ms(0), CLIENT, &ends.syn());
    assert_eq!(arrivals(&departures), [(ONE_WAY, SERVER), (ms(530), SERVER)]);
    assert_eq!(
        fast_open(&departures[0]),
        FastOpen::Absent,
        "later rules see the packet"
    );
    let source = SocketAddr::new(ends.client.ip(), 4242);
    assert_eq!(
        built(&departures[1]),
        ends.syn().with_source(source),
        "and not the copy"
    );
}

#[test]
fn a_replay_can_wait_for_the_end_of_the_connection() {
    for ended_by_reset in [false, true] {
        let (mut engine, ends) = (engine([replay(true, None)]), ends());
        handshake(&mut engine, &ends);
        let fin = ends.ack().with_fin();
        assert_eq!(send(&mut engine, ms(1000), CLIENT, &fin).len(), 1);
        let last = ends.down(901).with_ack(107);
        let last = if ended_by_reset {
            last.with_rst()
        } else {
            last.with_fin()
        };
        let departures = send(&mut engine, ms(2000), SERVER, &last);
        assert_eq!(arrivals(&departures), [(ms(2030), CLIENT), (ms(2530), SERVER)]);
        assert_eq!(built(&departures[1]), ends.syn());
        assert_eq!(send(&mut engine, ms(3000), SERVER, &last).len(), 1, "only once");
    }
}

#[test]
fn a_rebound_client_appears_elsewhere_and_hears_the_answers() {
    let to = Rebind {
        ipv4: "198.51.100.1".parse().unwrap(),
        ipv6: "2001:db8:1::1".parse().unwrap(),
    };
    for family in FAMILIES {
        let rule = Rule::rebind(to)
            .from("client")
            .on(SegmentKind::Syn)
            .pick(Pick::From(2));
        let (mut engine, ends) = (engine([rule]), Ends::new(family));
        let outside: IpAddr = if ends.client.is_ipv4() {
            to.ipv4.into()
        } else {
            to.ipv6.into()
        };
        let first = send(&mut engine, ms(0), CLIENT, &ends.syn());
        assert_eq!(
            built(&first[0]),
            ends.syn(),
            "the first connection keeps its address"
        );

        let second = ends.syn().with_sequence(5000);
        let outside = SocketAddr::new(outside, ends.client.port());
        let departures = send(&mut engine, ms(0), CLIENT, &second);
        assert_eq!(built(&departures[0]), second.clone().with_source(outside));
        let answer = SegmentBuilder::new(ends.server, outside)
            .with_syn()
            .with_ack(5001);
        let departures = send(&mut engine, ms(0), SERVER, &answer);
        assert_eq!(arrivals(&departures), [(ONE_WAY, CLIENT)]);
        assert_eq!(built(&departures[0]), ends.down(0).with_syn().with_ack(5001));
        let departures = send(&mut engine, ms(0), CLIENT, &ends.up(5001).with_ack(1));
        assert_eq!(
            built(&departures[0]).source(),
            outside,
            "the connection keeps its new address"
        );
    }
}

#[test]
fn nothing_passes_a_blackhole_after_the_handshake() {
    let (mut engine, ends) = (
        engine([Rule::blackhole().with_data(true).on(SegmentKind::Syn)]),
        ends(),
    );
    for (from, segment) in [
        (CLIENT, ends.syn()),
        (SERVER, ends.syn_ack()),
        (CLIENT, ends.ack()),
    ] {
        assert_eq!(send(&mut engine, ms(0), from, &segment).len(), 1);
    }
    assert_eq!(
        send(&mut engine, ms(0), CLIENT, &ends.ack().with_data("more")),
        []
    );
    assert_eq!(
        send(&mut engine, ms(0), SERVER, &ends.down(901).with_ack(106)),
        []
    );
    assert_eq!(engine.counters().dropped, 2);
    let plain = Ends::new(["192.0.2.1:40001", "192.0.2.2:80"]);
    send(&mut engine, ms(0), CLIENT, &plain.up(1).with_syn());
    send(&mut engine, ms(0), SERVER, &plain.down(1).with_syn().with_ack(2));
    send(&mut engine, ms(0), CLIENT, &plain.up(2).with_ack(2));
    assert_eq!(
        send(
            &mut engine,
            ms(0),
            CLIENT,
            &plain.up(2).with_ack(2).with_data("x")
        )
        .len(),
        1
    );
}

#[test]
fn a_syn_proxy_answers_then_splices() {
    for family in FAMILIES {
        let (mut engine, ends) = (
            engine([Rule::syn_proxy().on(SegmentKind::Syn)]),
            Ends::new(family),
        );
        let back = send(&mut engine, ms(0), CLIENT, &ends.syn());
        assert_eq!(arrivals(&back), [(2 * ONE_WAY, CLIENT)]);
        let syn_ack = Segment::from_ip(&back[0].packet).unwrap();
        assert!(syn_ack.flags.syn && syn_ack.flags.ack);
        assert_eq!(
            (syn_ack.acknowledgment, syn_ack.fast_open()),
            (101, FastOpen::Absent),
            "no data acknowledged"
        );
        let known = syn_ack.sequence.wrapping_add(1);

        let opening = send(&mut engine, ms(60), CLIENT, &ends.up(101).with_ack(known));
        assert_eq!(arrivals(&opening), [(ms(90), SERVER)]);
        let syn = Segment::from_ip(&opening[0].packet).unwrap();
        assert!(syn.flags.syn && !syn.flags.ack && syn.payload.is_empty());
        assert_eq!((syn.sequence, syn.fast_open()), (100, FastOpen::Absent));
        let data = ends.up(101).with_ack(known).with_data("hello");
        assert_eq!(
            send(&mut engine, ms(61), CLIENT, &data),
            [],
            "waits for the server"
        );

        let spliced = send(
            &mut engine,
            ms(90),
            SERVER,
            &ends.down(7_000_000).with_syn().with_ack(101),
        );
        assert_eq!(arrivals(&spliced), [(ms(90), SERVER), (ms(91), SERVER)]);
        assert_eq!(
            built(&spliced[1]),
            ends.up(101).with_ack(7_000_001).with_data("hello")
        );

        let down = send(
            &mut engine,
            ms(91),
            SERVER,
            &ends.down(7_000_001).with_ack(106).with_data("answer"),
        );
        assert_eq!(
            built(&down[0]),
            ends.down(known).with_ack(106).with_data("answer")
        );
        let up = send(&mut engine, ms(200), CLIENT, &ends.up(106).with_ack(known + 6));
        assert_eq!(built(&up[0]), ends.up(106).with_ack(7_000_007));
    }
}

#[test]
fn a_farm_keeps_each_connection_with_one_member() {
    let base = scenario([Rule::drop().to("server").on(SegmentKind::Established)])
        .with_host(HostSpec::new("second"))
        .with_farm(Farm::new("web", ["server", "second"]));
    let web = "192.0.2.4:80";
    let mut engine = Engine::new(&base);
    let mut members = Vec::new();
    for port in 1..=4 {
        let ends = Ends::new([&format!("192.0.2.1:{port}"), web]);
        let to = |departures: Vec<Departure>| departures.first().map(|departure| departure.to);
        let member = to(send(&mut engine, ms(0), CLIENT, &ends.syn())).unwrap();
        assert_eq!(
            to(send(&mut engine, ms(0), CLIENT, &ends.syn())),
            Some(member),
            "a SYN sent again"
        );
        assert_eq!(
            to(send(&mut engine, ms(0), member, &ends.syn_ack())),
            Some(CLIENT)
        );
        assert_eq!(to(send(&mut engine, ms(0), CLIENT, &ends.ack())), Some(member));
        let expected = (member != SERVER).then_some(member);
        assert_eq!(
            to(send(&mut engine, ms(0), CLIENT, &ends.ack())),
            expected,
            "a rule sees the member"
        );
        members.push(member);
    }
    assert_eq!(members, [1, 2, 1, 2]);

    let hashed = base.with_farm(Farm::new("hashed", ["server", "second"]).with_balance(Balance::Hash));
    let mut engine = Engine::new(&hashed);
    let mut member_of = |port| {
        let ends = Ends::new([&format!("192.0.2.1:{port}"), "192.0.2.5:80"]);
        send(&mut engine, ms(0), CLIENT, &ends.syn().with_sequence(port))[0].to
    };
    let members: Vec<PortId> = (1..50).map(&mut member_of).collect();
    assert!(members.contains(&1) && members.contains(&2));
    assert_eq!((1..50).map(&mut member_of).collect::<Vec<_>>(), members);
}

#[test]
fn a_flood_of_connections_is_forgotten_not_kept() {
    let mut engine = engine([]);
    for n in 0..70_000_u32 {
        let client = SocketAddr::from(([10, 0, (n >> 16) as u8, 1], n as u16));
        engine.arrive(
            ms(0),
            CLIENT,
            SegmentBuilder::new(client, ends().server).with_syn().to_packet(),
        );
    }
    assert!(engine.flows.len() <= 65_536);
    assert_eq!(engine.counters().overflowed, 70_000 - 65_536);
}

proptest::proptest! {
    #[test]
    fn no_bytes_and_no_rules_make_it_panic(
        packets in proptest::collection::vec(
            (0..2_usize, proptest::num::u8::ANY, proptest::collection::vec(proptest::num::u8::ANY, 0..40)), 0..20),
    ) {
        for scenario in Scenario::all() {
            let mut engine = Engine::new(&scenario);
            for (n, (from, flags, options)) in packets.iter().enumerate() {
                let (ends, n) = (ends(), n as u64);
                let segment = if *from == CLIENT { ends.up(1) } else { ends.down(1) };
                let mut packet = segment.with_options(options).with_ack(2).to_packet();
                packet[33] = *flags;
                engine.arrive(ms(n), *from, packet.clone());
                packet.truncate(n as usize * 4);
                engine.arrive(ms(n), *from, packet);
            }
            engine.release(ms(100));
            while engine.depart(Duration::MAX).is_some() {}
        }
    }
}

#[test]
fn a_connection_can_be_rebound_while_it_lasts() {
    let (mut engine, ends) = (engine([]), ends());
    handshake(&mut engine, &ends);
    let to = Rebind {
        ipv4: [198, 51, 100, 1].into(),
        ipv6: [0; 8].into(),
    };
    engine.set_rules(&scenario([]), &[Rule::rebind(to).from("client")]);
    let departures = send(&mut engine, ms(60), CLIENT, &ends.ack());
    assert_eq!(built(&departures[0]).source().to_string(), "198.51.100.1:40000");
}

#[test]
fn what_is_held_has_a_bound() {
    let mut engine = engine([Rule::hold(Moment::Released)]);
    for n in 0..70_000 {
        engine.arrive(ms(0), CLIENT, ends().up(n).to_packet());
    }
    assert_eq!(engine.counters().overflowed, 70_000 - 65_536);
    assert_eq!(engine.release(ms(1)), 65_536);
}
