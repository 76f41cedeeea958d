//! Every rule and every scenario that comes with the lab, over real kernels, in IPv4 and IPv6.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod support;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::testing::{self, test};
use fastopen_lab::{Frame, Host, Lab, Moment, Pick, Point, Rule, Scenario, SegmentKind};

use fastopen_wire::FastOpen;

use support::{Listener, connect_fast, counter, tcp_states};

const RTT: Duration = Duration::from_millis(60);
const SHORT: Duration = Duration::from_secs(5);

/// A host's address in the family that the test is for.
type Family = fn(&Host) -> IpAddr;

type Body = fn(Family);

/// The scenarios that come with the lab, and the test of each.
const TESTS: &[(&[&str], Body)] = &[
    (&["clean"], clean),
    (&["option-stripped"], option_stripped),
    (&["option-dropped"], |address| {
        syn_is_sent_again("option-dropped", address);
    }),
    (&["data-dropped"], |address| {
        syn_is_sent_again("data-dropped", address);
    }),
    (&["reset"], reset),
    (&["cookie-refused"], cookie_refused),
    (&["cookie-swapped"], cookie_swapped),
    (&["syn-proxy"], syn_proxy),
    (&["replay"], replay),
    (&["held-ack"], held_ack),
    (&["narrow-hop"], narrow_hop),
    (&["rebind"], rebind),
    (&["blackhole"], blackhole),
    (&["loss", "duplicate"], loss_and_duplicate),
    (&["unreachable"], unreachable),
    (&["farm"], farm),
];

fn main() -> ExitCode {
    let each_family = |(scenarios, body): &(&[&str], Body)| {
        let (name, body) = (scenarios.join("_and_").replace('-', "_"), *body);
        [
            test(format!("ipv4_{name}"), move || body(|host| host.ipv4().into())),
            test(format!("ipv6_{name}"), move || body(|host| host.ipv6().into())),
        ]
    };
    let whole = test("every_scenario_has_a_test", every_scenario_has_a_test);
    testing::main(TESTS.iter().flat_map(each_family).chain([whole]))
}

fn every_scenario_has_a_test() {
    let tested: BTreeSet<String> = TESTS
        .iter()
        .flat_map(|(scenarios, _)| *scenarios)
        .map(|&name| name.to_owned())
        .collect();
    let known: BTreeSet<String> = Scenario::all().map(|scenario| scenario.name).collect();
    assert_eq!(tested, known);
}

/// A lab in which the client has a cookie, and then the rules of a scenario.
fn lab(name: &str, address: Family) -> (Lab, SocketAddr, Listener) {
    let scenario = Scenario::named(name).unwrap().with_rtt(RTT);
    let (lab, target, listener) = lab_with_cookies(&scenario, address);
    lab.set_rules(scenario.rules).unwrap();
    (lab, target, listener)
}

/// A lab without rules whose server takes Fast Open on every listener, whose client has a cookie for it, and whose counters are 0.
fn lab_with_cookies(scenario: &Scenario, address: Family) -> (Lab, SocketAddr, Listener) {
    let mut quiet = scenario.clone();
    let server = quiet.hosts.iter_mut().find(|host| host.name == "server").unwrap();
    server
        .sysctls
        .insert("net.ipv4.tcp_fastopen".into(), "1027".into());
    let lab = Lab::new(&quiet).unwrap();
    lab.set_rules([]).unwrap();
    let target = SocketAddr::new(address(lab.server().unwrap()), 80);
    let listener = Listener::new(lab.server().unwrap(), target);
    drop(connect_fast(lab.client().unwrap(), target, b"").unwrap());
    listener.accept(Duration::from_secs(5)).unwrap();
    (lab, target, listener)
}

/// Whether a client sent this SYN with a cookie.
fn is_fast_syn(frame: &Frame) -> bool {
    let segment = frame.segment().unwrap();
    let syn = segment.flags.syn && !segment.flags.ack;
    syn && frame.point == Point::Sent && matches!(segment.fast_open(), FastOpen::Cookie(..))
}

/// Sends a request fast, and what the server makes of it: the request comes once and whole, and so does the answer.
fn exchange(lab: &Lab, target: SocketAddr, listener: &Listener) -> Duration {
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut accepted = listener.accept(SHORT).expect("a connection");
            let mut request = [0; 7];
            accepted.read_exact(&mut request).unwrap();
            accepted.write_all(b"answer").unwrap();
            assert_eq!(accepted.read(&mut [0; 1]).unwrap(), 0, "and nothing else");
            request
        });
        let start = Instant::now();
        let mut stream = connect_fast(lab.client().unwrap(), target, b"request").unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        let elapsed = start.elapsed();
        drop(stream);
        assert_eq!(&server.join().unwrap(), b"request");
        elapsed
    })
}

fn assert_round_trips(elapsed: Duration, expected: u32) {
    let (least, most) = (RTT * expected, RTT * expected + RTT * 9 / 10);
    assert!(
        elapsed >= least - Duration::from_millis(1) && elapsed < most,
        "{elapsed:?} is not {expected} × {RTT:?}"
    );
}

fn clean(address: Family) {
    let (lab, target, listener) = lab("clean", address);
    assert_round_trips(exchange(&lab, target, &listener), 1);
    assert_eq!(counter(lab.client().unwrap(), "TCPFastOpenActive"), 1);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassive"), 1);
}

fn option_stripped(address: Family) {
    let (lab, target, listener) = lab("option-stripped", address);
    assert_round_trips(exchange(&lab, target, &listener), 2);
    assert_eq!(counter(lab.client().unwrap(), "TCPFastOpenActiveFail"), 1);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassive"), 0);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassiveFail"), 0);
}

fn syn_is_sent_again(name: &str, address: Family) {
    let (lab, target, listener) = lab(name, address);
    let elapsed = exchange(&lab, target, &listener);
    assert!(elapsed > Duration::from_secs(1), "{elapsed:?}");
    assert_eq!(lab.counters().dropped, 1);
}

fn reset(address: Family) {
    let (lab, target, _listener) = lab("reset", address);
    let start = Instant::now();
    let error = connect_fast(lab.client().unwrap(), target, b"request").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_round_trips(start.elapsed(), 1);
}

fn cookie_refused(address: Family) {
    let (lab, target, listener) = lab("cookie-refused", address);
    assert_round_trips(exchange(&lab, target, &listener), 2);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassiveFail"), 1);
}

fn cookie_swapped(address: Family) {
    let scenario = Scenario::named("cookie-swapped").unwrap().with_rtt(RTT);
    let lab = Lab::new(&scenario).unwrap();
    let capture = lab.capture();
    let (server, client) = (lab.server().unwrap(), lab.client().unwrap());
    let target = SocketAddr::new(address(server), 80);
    server.set_sysctl("net.ipv4.tcp_fastopen", "1027").unwrap();
    let listener = Listener::new(server, target);
    for _ in 0..2 {
        drop(connect_fast(client, target, b"request").unwrap());
        listener.accept(SHORT).unwrap();
    }
    let syn = capture.wait_for(SHORT, is_fast_syn).unwrap();
    assert!(
        syn.segment()
            .unwrap()
            .options
            .windows(4)
            .any(|bytes| bytes == [0x5e, 0xed, 0x5e, 0xed])
    );
    assert_eq!(counter(server, "TCPFastOpenPassiveFail"), 1);
}

fn syn_proxy(address: Family) {
    let (lab, target, listener) = lab("syn-proxy", address);
    assert_round_trips(exchange(&lab, target, &listener), 2);
    assert_eq!(counter(lab.client().unwrap(), "TCPFastOpenActiveFail"), 1);
    // Many segments each way through the splice.
    let mut stream = connect_fast(lab.client().unwrap(), target, b"").unwrap();
    let mut accepted = listener.accept(SHORT).unwrap();
    let sent: Vec<u8> = (0..200_000).map(|n: u32| (n >> 3) as u8).collect();
    let echo = thread::spawn(move || {
        let mut received = Vec::new();
        accepted.read_to_end(&mut received).unwrap();
        accepted.write_all(&received).unwrap();
    });
    stream.write_all(&sent).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut echoed = Vec::new();
    stream.read_to_end(&mut echoed).unwrap();
    assert!(echoed == sent);
    echo.join().unwrap();
}

fn replay(address: Family) {
    let (lab, target, listener) = lab("replay", address);
    let server = lab.server().unwrap();
    exchange(&lab, target, &listener);
    let mut replayed = listener.accept(SHORT).expect("the replay");
    let mut request = [0; 7];
    replayed.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"request");
    assert_eq!(replayed.peer_addr().unwrap().port(), 4242);
    assert_eq!(tcp_states(server, 4242), ["SYN_RECV"], "nobody confirms it");

    // The same by hand, from the port that it came from.
    let capture = lab.capture();
    lab.set_rules([]).unwrap();
    exchange(&lab, target, &listener);
    let syn = capture.wait_for(SHORT, is_fast_syn).unwrap();
    let port = syn.segment().unwrap().source.port();
    thread::sleep(2 * RTT);
    lab.inject(syn.packet.to_vec()).unwrap();
    let mut replayed = listener.accept(SHORT).expect("the replay");
    replayed.read_exact(&mut request).unwrap();
    assert_eq!(
        (&request, replayed.peer_addr().unwrap().port()),
        (b"request", port)
    );
}

fn held_ack(address: Family) {
    let (lab, target, listener) = lab("held-ack", address);
    lab.set_rules([Rule::hold(Moment::Released)
        .from("client")
        .on(SegmentKind::HandshakeAck)])
        .unwrap();
    let server = lab.server().unwrap();
    let mut stream = connect_fast(lab.client().unwrap(), target, b"request").unwrap();
    let port = stream.local_addr().unwrap().port();
    let mut accepted = listener.accept(SHORT).unwrap();
    // The server answers meanwhile, until its send buffer is full.
    accepted.set_nonblocking(true).unwrap();
    let answered = std::iter::from_fn(|| accepted.write(&[7; 4096]).ok()).sum::<usize>();
    assert!(answered > 14_600, "{answered}");
    thread::sleep(5 * RTT);
    assert_eq!(
        tcp_states(server, port),
        ["SYN_RECV"],
        "the ACKs of the answer are held as well"
    );

    let released = Instant::now();
    assert!(lab.release() > 1);
    while tcp_states(server, port) != ["ESTABLISHED"] {
        assert!(released.elapsed() < RTT, "confirmed within a round trip");
    }
    drop(accepted);
    let mut answer = Vec::new();
    assert!(
        stream.read_to_end(&mut answer).is_err(),
        "the server has left the request unread"
    );

    // As the scenario has it the ACK comes by itself, 200 ms late.
    lab.set_rules(Scenario::named("held-ack").unwrap().rules).unwrap();
    let stream = connect_fast(lab.client().unwrap(), target, b"request").unwrap();
    let start = Instant::now();
    let accepted = listener.accept(SHORT).unwrap();
    while tcp_states(server, stream.local_addr().unwrap().port()) != ["ESTABLISHED"] {
        assert!(start.elapsed() < SHORT);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(
        start.elapsed() > Duration::from_millis(190),
        "{:?}",
        start.elapsed()
    );
    drop(accepted);
}

fn rebind(address: Family) {
    let (lab, target, listener) = lab("clean", address);
    // From the next connection on, as the client has its cookie already.
    let mut rules = Scenario::named("rebind").unwrap().rules;
    rules[0].pick = Pick::All;
    lab.set_rules(rules).unwrap();
    assert_round_trips(exchange(&lab, target, &listener), 2);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassiveFail"), 1);
    assert_round_trips(exchange(&lab, target, &listener), 1);
    drop(connect_fast(lab.client().unwrap(), target, b"request").unwrap());
    let peer = listener
        .accept(SHORT)
        .unwrap()
        .peer_addr()
        .unwrap()
        .ip()
        .to_string();
    assert!(
        ["198.51.100.1", "2001:db8:1::1"].contains(&peer.as_str()),
        "{peer}"
    );
}

fn blackhole(address: Family) {
    let (lab, target, listener) = lab("blackhole", address);
    let mut stream = connect_fast(lab.client().unwrap(), target, b"request").unwrap();
    let mut accepted = listener.accept(SHORT).unwrap();
    accepted.read_exact(&mut [0; 7]).unwrap();
    accepted.write_all(b"answer").unwrap();
    stream.set_read_timeout(Some(10 * RTT)).unwrap();
    assert_eq!(
        stream.read(&mut [0; 1]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(
        tcp_states(lab.server().unwrap(), stream.local_addr().unwrap().port()),
        ["ESTABLISHED"]
    );
    // Without data in the SYN all is well.
    let mut plain = lab
        .client()
        .unwrap()
        .run(|| std::net::TcpStream::connect(target))
        .unwrap();
    listener.accept(SHORT).unwrap().write_all(b"answer").unwrap();
    plain.read_exact(&mut [0; 6]).unwrap();
}

/// The kernel sends the SYN again without data as soon as it is told, and has learnt what fits.
fn narrow_hop(address: Family) {
    let (lab, target, listener) = lab("narrow-hop", address);
    let capture = lab.capture();
    let accepted = |listener: &Listener| {
        let mut stream = listener.accept(SHORT).unwrap();
        stream.read_exact(&mut [0; 1380]).unwrap();
    };
    let first = connect_fast(lab.client().unwrap(), target, &[7; 1380]).unwrap();
    accepted(&listener);
    let syns = |port: u16| -> Vec<usize> {
        let frames = capture.frames();
        let sent = frames.iter().filter(|frame| frame.point == Point::Sent);
        let segments = sent.filter_map(|frame| frame.segment().ok());
        segments
            .filter(|segment| segment.flags.syn && segment.source.port() == port)
            .map(|segment| segment.payload_len)
            .collect()
    };
    assert_eq!(syns(first.local_addr().unwrap().port())[1..], [0], "without data");
    assert_eq!(counter(lab.client().unwrap(), "TCPFastOpenActive"), 0);
    let second = connect_fast(lab.client().unwrap(), target, &[7; 1380]).unwrap();
    accepted(&listener);
    let syns = syns(second.local_addr().unwrap().port());
    assert!(matches!(syns[..], [1200..1300]), "{syns:?}");
    assert_eq!(counter(lab.client().unwrap(), "TCPFastOpenActive"), 1);
}

fn loss_and_duplicate(address: Family) {
    let (lab, target, listener) = lab("loss", address);
    let duplicate = Scenario::named("duplicate").unwrap().rules;
    lab.set_rules(lab.scenario().rules.iter().chain(&duplicate).cloned())
        .unwrap();
    let sent: Vec<u8> = (0..300_000).map(|n: u32| (n >> 2) as u8).collect();
    let client = lab.client().unwrap();
    let mut stream = connect_fast(client, target, &sent[..1000]).unwrap();
    let mut accepted = listener.accept(SHORT).unwrap();
    let reader = thread::spawn(move || {
        let mut received = Vec::new();
        accepted.read_to_end(&mut received).map(|_| received)
    });
    stream.write_all(&sent[1000..]).unwrap();
    drop(stream);
    assert!(reader.join().unwrap().unwrap() == sent);
    assert!(lab.counters().dropped > 3);
    assert!(
        counter(client, "TCPLostRetransmit")
            + counter(client, "TCPFastRetrans")
            + counter(client, "TCPTimeouts")
            > 0
    );
}

fn unreachable(address: Family) {
    let (lab, target, _listener) = lab("unreachable", address);
    let client = lab.client().unwrap();
    let error = client
        .run(|| std::net::TcpStream::connect_timeout(&target, 5 * RTT))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

fn farm(address: Family) {
    const KEY: &str = "net.ipv4.tcp_fastopen_key";
    let scenario = Scenario::named("farm").unwrap().with_rtt(RTT);
    let lab = Lab::new(&scenario).unwrap();
    let farm = lab.farm("web").unwrap();
    let shared = if address(lab.client().unwrap()).is_ipv4() {
        farm.addresses()[0]
    } else {
        farm.addresses()[1]
    };
    let target = SocketAddr::new(shared, 80);
    let members = ["server", "second"].map(|name| lab.host(name).unwrap());
    for member in members {
        member.set_sysctl("net.ipv4.tcp_fastopen", "1027").unwrap();
        member
            .set_sysctl(KEY, "00000001-00000002-00000003-00000004")
            .unwrap();
    }
    let listeners = members.map(|member| Listener::new(member, target));
    let visit = |member: usize| {
        drop(connect_fast(lab.client().unwrap(), target, b"request").unwrap());
        listeners[member].accept(SHORT).expect("its turn");
        counter(members[member], "TCPFastOpenPassive")
    };
    assert_eq!(
        [visit(0), visit(1), visit(0)],
        [0, 1, 1],
        "a cookie of one member is good for the other"
    );
    members[1]
        .set_sysctl(KEY, "00000005-00000006-00000007-00000008")
        .unwrap();
    assert_eq!(visit(1), 1);
    assert_eq!(
        counter(members[1], "TCPFastOpenPassiveFail"),
        1,
        "with another key it is not"
    );
}
