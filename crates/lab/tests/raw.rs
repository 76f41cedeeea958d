//! The raw peer against a real kernel, as client and as server, in IPv4 and IPv6.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use fastopen_lab::testing::{self, LabTest, test};
use fastopen_lab::{Error, Host, HostSpec, Lab, RawPeer, Scenario};
use fastopen_wire::{Cookie, FastOpen, OptionKind};

use support::{Listener, connect_fast, counter, tcp_states};

const RTT: Duration = Duration::from_millis(4);
const SHORT: Duration = Duration::from_secs(5);
const REQUEST: &[u8] = b"request";

type Body = fn(Setup);
/// A host's address in the family that the test is for.
type Family = fn(&Host) -> IpAddr;

fn main() -> ExitCode {
    let tests: &[(&str, Body)] = &[
        ("a_whole_conversation", a_whole_conversation),
        ("a_cookie_is_granted_and_taken", a_cookie_is_granted_and_taken),
        ("forged_cookies_are_refused", forged_cookies_are_refused),
        (
            "odd_lengths_are_sent_as_they_are",
            odd_lengths_are_sent_as_they_are,
        ),
        (
            "a_replay_is_accepted_and_never_confirmed",
            a_replay_is_accepted_and_never_confirmed,
        ),
        (
            "it_plays_a_server_that_grants_what_it_likes",
            it_plays_a_server_that_grants_what_it_likes,
        ),
        ("silence_is_none_in_time", silence_is_none_in_time),
    ];
    let families: &[(&str, Family)] = &[
        ("ipv4", |host| host.ipv4().into()),
        ("ipv6", |host| host.ipv6().into()),
    ];
    let each = tests.iter().flat_map(|&(name, body)| {
        families.iter().map(move |&(family, address)| -> LabTest {
            test(format!("{family}_{name}"), move || body(Setup::new(address)))
        })
    });
    testing::main(each)
}

/// A client and a server with kernels, and a peer without.
struct Setup {
    lab: Lab,
    peer: RawPeer,
    own: IpAddr,
    target: SocketAddr,
    listener: Listener,
}

impl Setup {
    fn new(address: Family) -> Self {
        let scenario = Scenario::new("raw")
            .with_rtt(RTT)
            .with_host(HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "1027"))
            .with_host(HostSpec::raw("peer"));
        let lab = Lab::new(&scenario).unwrap();
        let host = lab.host("peer").unwrap();
        let peer = host.raw_peer().unwrap();
        let target = SocketAddr::new(address(lab.server().unwrap()), 80);
        let listener = Listener::new(lab.server().unwrap(), target);
        Self {
            own: address(host),
            peer,
            target,
            listener,
            lab,
        }
    }

    fn cookie(&mut self) -> Cookie {
        let request = self.peer.syn(self.target).with_fast_open(&[]);
        let connection = self.peer.connect(&request, SHORT).unwrap();
        self.listener.accept(SHORT).unwrap();
        self.peer.send(&connection.rst()).unwrap();
        match connection.fast_open() {
            FastOpen::Cookie(OptionKind::Standard, cookie) => cookie,
            other => panic!("no cookie: {other:?}"),
        }
    }

    fn server_counter(&self, name: &str) -> u64 {
        counter(self.lab.server().unwrap(), name)
    }
}

fn a_whole_conversation(mut setup: Setup) {
    let syn = setup.peer.syn(setup.target);
    let mut connection = setup.peer.connect(&syn, SHORT).unwrap();
    let mut accepted = setup.listener.accept(SHORT).unwrap();
    assert_eq!(accepted.peer_addr().unwrap().ip(), setup.own);
    setup.peer.send(&connection.data(REQUEST)).unwrap();
    setup.peer.send(&connection.fin()).unwrap();
    let mut request = Vec::new();
    accepted.read_to_end(&mut request).unwrap();
    assert_eq!(request, REQUEST);
    accepted.write_all(b"answer").unwrap();
    drop(accepted);
    let mut answer: Vec<u8> = Vec::new();
    loop {
        let received = setup.peer.receive(SHORT).unwrap().expect("the answer and a FIN");
        let segment = received.segment();
        if connection.count(&segment) {
            answer.extend(segment.payload);
        }
        if segment.flags.fin {
            break;
        }
    }
    setup.peer.send(&connection.segment()).unwrap();
    assert_eq!(answer, b"answer");
}

fn a_cookie_is_granted_and_taken(mut setup: Setup) {
    let cookie = setup.cookie();
    let syn = setup
        .peer
        .syn(setup.target)
        .with_sequence(1)
        .with_fast_open(cookie.as_bytes())
        .with_data(REQUEST);
    setup.peer.send(&syn).unwrap();
    let connection = setup.peer.half_open(&syn, SHORT).unwrap();
    let acknowledged = connection.syn_ack().segment().acknowledgment;
    assert_eq!(acknowledged, 2 + REQUEST.len() as u32, "all of it");
    setup
        .listener
        .accept(SHORT)
        .unwrap()
        .read_exact(&mut [0; 7])
        .unwrap();
    assert_eq!(setup.server_counter("TCPFastOpenPassive"), 1);
}

fn forged_cookies_are_refused(mut setup: Setup) {
    let mut forged = setup.cookie().as_bytes().to_vec();
    forged[0] ^= 1;
    let syn = setup
        .peer
        .syn(setup.target)
        .with_sequence(1)
        .with_fast_open(&forged)
        .with_data(REQUEST);
    let connection = setup.peer.connect(&syn, SHORT).unwrap();
    assert_eq!(
        connection.syn_ack().segment().acknowledgment,
        2,
        "the SYN and nothing else"
    );
    assert!(
        matches!(connection.fast_open(), FastOpen::Cookie(..)),
        "another cookie is granted"
    );
    assert_eq!(setup.server_counter("TCPFastOpenPassiveFail"), 1);
}

fn odd_lengths_are_sent_as_they_are(mut setup: Setup) {
    let capture = setup.lab.capture();
    for cookie_len in [1, 3, 5, 17, 30] {
        let syn = setup
            .peer
            .syn(setup.target)
            .with_sequence(1)
            .with_fast_open(&vec![7; cookie_len])
            .with_data(REQUEST);
        let connection = setup.peer.connect(&syn, SHORT).unwrap();
        setup.listener.accept(SHORT).unwrap();
        assert_eq!(
            connection.syn_ack().segment().acknowledgment,
            2,
            "{cookie_len} bytes are no cookie"
        );
        let kind = OptionKind::Standard;
        let malformed = FastOpen::Malformed { kind, cookie_len };
        assert!(
            capture
                .wait_for(SHORT, |frame| frame.segment().unwrap().fast_open() == malformed)
                .is_some()
        );
    }
}

fn a_replay_is_accepted_and_never_confirmed(mut setup: Setup) {
    let cookie = setup.cookie();
    let syn = setup
        .peer
        .syn(setup.target)
        .with_fast_open(cookie.as_bytes())
        .with_data(REQUEST);
    let ports = [5001, 5002];
    for port in ports {
        setup
            .peer
            .send(&syn.clone().with_source(SocketAddr::new(setup.own, port)))
            .unwrap();
    }
    let accepted = ports.map(|_| {
        let mut accepted = setup.listener.accept(SHORT).unwrap();
        let mut request = [0; 7];
        accepted.read_exact(&mut request).unwrap();
        assert_eq!(request, REQUEST);
        accepted
    });
    thread::sleep(10 * RTT);
    for port in ports {
        assert_eq!(tcp_states(setup.lab.server().unwrap(), port), ["SYN_RECV"]);
    }
    drop(accepted);
}

fn it_plays_a_server_that_grants_what_it_likes(setup: Setup) {
    let Setup {
        lab, mut peer, own, ..
    } = setup;
    let target = SocketAddr::new(own, 80);
    let cookie = [9; 16];
    let client = lab.client().unwrap();
    let first = thread::scope(|scope| {
        let connecting = scope.spawn(|| connect_fast(client, target, REQUEST).map(drop));
        let syn = peer.wait_for_syn(80, SHORT).unwrap();
        assert_eq!(syn.segment().fast_open(), FastOpen::Request(OptionKind::Standard));
        peer.send(&syn.syn_ack(0).with_fast_open(&cookie)).unwrap();
        connecting.join().unwrap()
    });
    first.unwrap();
    thread::scope(|scope| {
        let connecting = scope.spawn(|| connect_fast(client, target, REQUEST));
        let syn = peer.wait_for_syn(80, SHORT).unwrap();
        let expected = FastOpen::Cookie(OptionKind::Standard, Cookie::new(&cookie).unwrap());
        assert_eq!(
            syn.segment().fast_open(),
            expected,
            "the kernel presents it again"
        );
        assert_eq!(syn.segment().payload, REQUEST);
        // Half of the data is acknowledged, and the kernel sends the rest again.
        peer.send(&syn.syn_ack(3)).unwrap();
        let again = peer
            .receive_that(SHORT, |segment| segment.payload_len > 0)
            .unwrap()
            .unwrap();
        assert_eq!(again.segment().payload, &REQUEST[3..]);
        connecting.join().unwrap().unwrap();
    });
    assert_eq!(counter(client, "TCPFastOpenActiveFail"), 1);
}

fn silence_is_none_in_time(mut setup: Setup) {
    assert_eq!(setup.peer.receive(RTT).unwrap(), None);
    let nobody = SocketAddr::new(setup.lab.client().unwrap().address_like(setup.own), 9);
    let syn = setup.peer.syn(nobody);
    let error = setup.peer.connect(&syn, 5 * RTT).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NoAnswer {
                expected: "SYN-ACK",
                ..
            }
        ),
        "a RST is none: {error}"
    );
}
