//! SYNs that are changed, refused or lost.

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastopen_lab::{Lab, Pick, Point, Scenario};

use crate::exchange::{Family, RTT, SHORT, assert_round_trips, exchange, is_fast_syn, lab};
use crate::support::{Listener, connect_fast, counter};

pub(crate) fn clean(address: Family) {
    let (lab, target, listener) = lab("clean", address);
    assert_round_trips(exchange(&lab, target, &listener), 1);
    assert_eq!(counter(lab.client().unwrap(), "TCPFastOpenActive"), 1);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassive"), 1);
}

pub(crate) fn option_stripped(address: Family) {
    let (lab, target, listener) = lab("option-stripped", address);
    assert_round_trips(exchange(&lab, target, &listener), 2);
    assert_eq!(counter(lab.client().unwrap(), "TCPFastOpenActiveFail"), 1);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassive"), 0);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassiveFail"), 0);
}

pub(crate) fn syn_is_sent_again(name: &str, address: Family) {
    let (lab, target, listener) = lab(name, address);
    let elapsed = exchange(&lab, target, &listener);
    assert!(elapsed > Duration::from_secs(1), "{elapsed:?}");
    assert_eq!(lab.counters().dropped, 1);
}

pub(crate) fn reset(address: Family) {
    let (lab, target, _listener) = lab("reset", address);
    let start = Instant::now();
    let error = connect_fast(lab.client().unwrap(), target, b"request").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_round_trips(start.elapsed(), 1);
}

pub(crate) fn cookie_refused(address: Family) {
    let (lab, target, listener) = lab("cookie-refused", address);
    assert_round_trips(exchange(&lab, target, &listener), 2);
    assert_eq!(counter(lab.server().unwrap(), "TCPFastOpenPassiveFail"), 1);
}

pub(crate) fn cookie_swapped(address: Family) {
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

pub(crate) fn rebind(address: Family) {
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

/// The kernel sends the SYN again without data as soon as it is told, and has learnt what fits.
pub(crate) fn narrow_hop(address: Family) {
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

pub(crate) fn unreachable(address: Family) {
    let (lab, target, _listener) = lab("unreachable", address);
    let client = lab.client().unwrap();
    let error = client
        .run(|| std::net::TcpStream::connect_timeout(&target, 5 * RTT))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
