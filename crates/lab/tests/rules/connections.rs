//! What becomes of a connection behind its SYN.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::{Lab, Moment, Rule, Scenario, SegmentKind};

use crate::exchange::{Family, RTT, SHORT, assert_round_trips, exchange, is_fast_syn, lab};
use crate::support::{Listener, connect_fast, counter, tcp_states};

pub(crate) fn syn_proxy(address: Family) {
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

pub(crate) fn replay(address: Family) {
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

pub(crate) fn held_ack(address: Family) {
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

pub(crate) fn blackhole(address: Family) {
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

pub(crate) fn loss_and_duplicate(address: Family) {
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

pub(crate) fn farm(address: Family) {
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
