//! Each rule, without a network: packets in, packets and times out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen_wire::{Cookie, FastOpen, OptionKind, Segment};

use super::{Departure, Engine, PortId, Time};
use crate::packet::is_right;
use crate::{
    Balance, Farm, Forgery, HostSpec, Moment, OptionState, Pick, Rebind, Rule, Scenario, SegmentBuilder,
    SegmentKind,
};

const CLIENT: PortId = 0;
const SERVER: PortId = 1;
const ONE_WAY: Duration = Duration::from_millis(30);
const COOKIE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn ms(ms: u64) -> Time {
    Duration::from_millis(ms)
}

fn scenario(rules: impl IntoIterator<Item = Rule>) -> Scenario {
    rules
        .into_iter()
        .fold(Scenario::new("test").with_rtt(2 * ONE_WAY), Scenario::with_rule)
}

fn engine(rules: impl IntoIterator<Item = Rule>) -> Engine {
    Engine::new(&scenario(rules))
}

/// The ends of a connection, in both families.
const FAMILIES: [[&str; 2]; 2] = [
    ["192.0.2.1:40000", "192.0.2.2:80"],
    ["[2001:db8::1]:40000", "[2001:db8::2]:80"],
];

/// A connection as its two ends send it.
struct Ends {
    client: SocketAddr,
    server: SocketAddr,
}

impl Ends {
    fn new([client, server]: [&str; 2]) -> Self {
        Self {
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
        }
    }

    fn up(&self, sequence: u32) -> SegmentBuilder {
        SegmentBuilder::new(self.client, self.server).with_sequence(sequence)
    }

    fn down(&self, sequence: u32) -> SegmentBuilder {
        SegmentBuilder::new(self.server, self.client).with_sequence(sequence)
    }

    fn syn(&self) -> SegmentBuilder {
        self.up(100)
            .with_syn()
            .with_options([1, 1])
            .with_fast_open(&COOKIE)
            .with_data("hello")
    }

    fn syn_ack(&self) -> SegmentBuilder {
        self.down(900)
            .with_syn()
            .with_ack(106)
            .with_options([1, 1])
            .with_fast_open(&COOKIE)
    }

    fn ack(&self) -> SegmentBuilder {
        self.up(106).with_ack(901)
    }
}

fn ends() -> Ends {
    Ends::new(FAMILIES[0])
}

/// Everything that leaves, checksums looked at.
fn drain(engine: &mut Engine) -> Vec<Departure> {
    let mut departures = Vec::new();
    while let Some(departure) = engine.depart(Duration::MAX) {
        assert!(is_right(&departure.packet), "{departure:?}");
        departures.push(departure);
    }
    departures
}

fn send(engine: &mut Engine, at: Time, from: PortId, segment: &SegmentBuilder) -> Vec<Departure> {
    engine.arrive(at, from, segment.to_packet());
    drain(engine)
}

fn built(departure: &Departure) -> SegmentBuilder {
    SegmentBuilder::from(&Segment::from_ip(&departure.packet).unwrap())
}

/// When and where packets arrive, without what is in them.
fn arrivals(departures: &[Departure]) -> Vec<(Time, PortId)> {
    departures
        .iter()
        .map(|departure| (departure.at, departure.to))
        .collect()
}

fn fast_open(departure: &Departure) -> FastOpen {
    Segment::from_ip(&departure.packet).unwrap().fast_open()
}

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

#[test]
fn a_duplicate_comes_twice_at_the_same_time() {
    let mut engine = engine([Rule::duplicate()]);
    let departures = send(&mut engine, ms(0), CLIENT, &ends().syn());
    assert_eq!(departures.len(), 2);
    assert_eq!(departures[0], departures[1]);
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

fn handshake(engine: &mut Engine, ends: &Ends) {
    send(engine, ms(0), CLIENT, &ends.syn());
    send(engine, ms(0), SERVER, &ends.syn_ack());
}

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
    if let crate::Action::Hold(hold) = &mut rule.action {
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
    if let crate::Action::Replay(replay) = &mut rule.action {
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
