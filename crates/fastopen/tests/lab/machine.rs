//! Machines on which something is switched off, and settings of the connector.

use std::net::SocketAddr;
use std::time::Duration;

use fastopen::{AttemptEnd, ConnectError, ListenOptions, Outcome, Policy, Reason, ReplaySafe};
use fastopen_host::{Feature, KernelVersion};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{HostSpec, Scenario, SegmentBuilder};
use socket2::{Protocol, SockRef};

use crate::support::{Driver, LONG, PORT, at, connector, finish, get_cookie, lab, serve};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("machine::the_client_bit_is_off", the_client_bit_is_off),
        test("machine::ipv6_is_off", ipv6_is_off),
        test(
            "machine::the_listener_has_no_fast_open",
            the_listener_has_no_fast_open,
        ),
        test("machine::the_policy_is_off", the_policy_is_off),
        test(
            "machine::the_blackhole_timer_is_in_force",
            the_blackhole_timer_is_in_force,
        ),
        test(
            "machine::multipath_tcp_is_used_where_there_is_any",
            multipath_tcp_is_used_where_there_is_any,
        ),
        test(
            "machine::local_address_mark_and_device_are_set",
            local_address_mark_and_device_are_set,
        ),
        test(
            "machine::a_small_path_mtu_limits_what_the_syn_carries",
            a_small_path_mtu_limits_what_the_syn_carries,
        ),
        test(
            "machine::a_peer_that_resets_at_once_can_still_be_read",
            a_peer_that_resets_at_once_can_still_be_read,
        ),
    ]
    .into_iter()
}

fn the_client_bit_is_off() {
    let lab = lab(&Scenario::new("client bit"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    client.set_sysctl("net.ipv4.tcp_fastopen", "0").unwrap();
    for driver in Driver::ALL {
        for ip in server.addresses() {
            let connected = driver.connect(client, &connector(), at(ip), b"GET /").unwrap();
            assert_eq!(connected.outcome, Outcome::NotAttempted(Reason::Sysctl));
            assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
            let required = connector().with_policy(Policy::Require);
            let error = driver.connect(client, &required, at(ip), b"GET /").unwrap_err();
            assert!(error.to_string().contains("sendto(MSG_FASTOPEN): "), "{error}");
        }
    }
}

fn ipv6_is_off() {
    let lab = lab(&Scenario::new("no IPv6"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    for name in [
        "net.ipv6.conf.all.disable_ipv6",
        "net.ipv6.conf.eth0.disable_ipv6",
    ] {
        client.set_sysctl(name, "1").unwrap();
    }
    let addresses: [SocketAddr; 2] = [at(server.ipv6()), at(server.ipv4())];
    let connected = client
        .run(|| connector().connect(&addresses[..], ReplaySafe("GET /")))
        .unwrap();
    let [v6, v4] = connected.attempts[..] else {
        panic!("{:?}", connected.attempts)
    };
    assert!(matches!(v6.end, AttemptEnd::Failed(_)), "{v6:?}");
    assert!(
        v4.started < Duration::from_millis(100),
        "a failure is no reason to wait"
    );
    assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
    let error = client
        .run(|| connector().connect(addresses[0], ReplaySafe("GET /")))
        .unwrap_err();
    assert!(error.to_string().contains("[2001:db8::2]:80"), "{error}");
}

fn the_listener_has_no_fast_open() {
    let lab = lab(&Scenario::new("no Fast Open"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new().with_queue(0));
    for _ in 0..3 {
        let connected = client
            .run(|| connector().connect((server.ipv4(), PORT), ReplaySafe("GET /")))
            .unwrap();
        assert_eq!(connected.outcome, Outcome::NoCookie, "there is never one");
        assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
    }
}

fn the_policy_is_off() {
    let lab = lab(&Scenario::new("policy"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    get_cookie(client, at(server.ipv4()));
    let off = connector().with_policy(Policy::Off);
    let connected = client
        .run(|| off.connect((server.ipv4(), PORT), ReplaySafe("GET /")))
        .unwrap();
    assert_eq!(connected.outcome, Outcome::NotAttempted(Reason::Policy));
    assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
    assert_eq!(
        Outcome::of(&connected.stream).unwrap(),
        Outcome::Unknown,
        "the kernel has nothing to tell"
    );
}

/// After a connection with the option on which nothing but a FIN behind a gap came, the kernel suspects the path and takes the option from every SYN.
fn the_blackhole_timer_is_in_force() {
    let client = HostSpec::new("client").with_sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", "3600");
    let lab = lab(&Scenario::new("blackhole timer")
        .with_host(client)
        .with_host(HostSpec::raw("peer")));
    let client = lab.client().unwrap();
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let address = at(peer.ipv4());
    let patient = || connector().with_delay(LONG).connect(address, ReplaySafe("GET /"));
    let outcomes = std::thread::scope(|scope| {
        scope.spawn(move || {
            for grants in [true, false] {
                let syn = peer.wait_for_syn(PORT, LONG).unwrap();
                let taken = syn.segment().payload_len;
                let syn_ack = syn.syn_ack(taken).with_sequence(7);
                peer.send(&if grants {
                    syn_ack.with_fast_open(&[5; 8])
                } else {
                    syn_ack
                })
                .unwrap();
                let behind_a_gap = SegmentBuilder::new(syn.segment().destination, syn.segment().source)
                    .with_sequence(1000)
                    .with_ack(syn.segment().sequence.wrapping_add(1 + taken as u32));
                peer.send(&behind_a_gap.with_fin()).unwrap();
            }
        });
        [(); 2].map(|()| {
            let connected = client.run(patient).unwrap();
            // The FIN is on its way; it counts when the kernel forgets the connection, which a close without lingering makes it do at once.
            std::thread::sleep(Duration::from_millis(200));
            SockRef::from(&connected.stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            connected.outcome
        })
    });
    assert_eq!(
        outcomes,
        [Outcome::NoCookie, Outcome::NotAttempted(Reason::Blackhole)]
    );
}

fn since(feature: Feature) -> bool {
    feature.is_expected_in(KernelVersion::running().unwrap())
}

fn multipath_tcp_is_used_where_there_is_any() {
    let lab = lab(&Scenario::new("mptcp"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    // A kernel that is built without MPTCP has no switch for it either.
    let is_built_in = client.sysctl("net.mptcp.enabled").is_ok();
    let cases = [("0", Protocol::TCP), ("1", Protocol::MPTCP)];
    let cases = &cases[..if is_built_in { 2 } else { 1 }];
    for driver in Driver::ALL {
        for &(enabled, protocol) in cases {
            if is_built_in {
                client.set_sysctl("net.mptcp.enabled", enabled).unwrap();
            }
            let outcomes = [(); 2].map(|()| {
                let mptcp = connector().with_mptcp(true);
                let connected = driver
                    .connect(client, &mptcp, at(server.ipv6()), b"GET /")
                    .unwrap();
                assert_eq!(
                    SockRef::from(&connected.stream).protocol().unwrap(),
                    Some(protocol)
                );
                assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
                connected.outcome
            });
            // An MPTCP socket has Fast Open since Linux 6.2.
            let expected = if protocol == Protocol::TCP || since(Feature::Mptcp) {
                Outcome::Accepted
            } else {
                Outcome::NotAttempted(Reason::Unsupported)
            };
            assert_eq!(outcomes[1], expected);
            let closed = SocketAddr::new(server.ipv6().into(), PORT + 1);
            let error = driver
                .connect(client, &connector().with_mptcp(true), closed, b"GET /")
                .unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
        }
    }
}

fn local_address_mark_and_device_are_set() {
    let lab = lab(&Scenario::new("settings"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    let addresses: [SocketAddr; 2] = [at(server.ipv6()), at(server.ipv4())];
    let set = connector()
        .with_local_address(client.ipv4().into())
        .with_mark(42)
        .with_device("eth0");
    let connected = client
        .run(|| set.connect(&addresses[..], ReplaySafe("GET /")))
        .unwrap();
    assert_eq!(connected.attempts.len(), 1, "the other family is left out");
    assert_eq!(connected.stream.local_addr().unwrap().ip(), client.ipv4());
    let socket = SockRef::from(&connected.stream);
    assert_eq!(socket.mark().unwrap(), 42);
    assert_eq!(socket.device().unwrap().unwrap(), b"eth0");

    let no_device = connector().with_device("nowhere0");
    let error = client
        .run(|| no_device.connect(addresses[1], ReplaySafe("GET /")))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("192.0.2.2:80: setsockopt(SO_BINDTODEVICE): "),
        "{error}"
    );
    let not_ours = connector().with_local_address("192.0.2.77".parse().unwrap());
    let error = client
        .run(|| not_ours.connect(addresses[1], ReplaySafe("GET /")))
        .unwrap_err();
    assert!(error.to_string().contains("bind: "), "{error}");
    let other_family = connector().with_local_address(client.ipv6().into());
    let error = client
        .run(|| other_family.connect(addresses[1], ReplaySafe("GET /")))
        .unwrap_err();
    assert!(matches!(error, ConnectError::NoAddress), "{error}");
}

fn a_small_path_mtu_limits_what_the_syn_carries() {
    let lab = lab(&Scenario::new("MTU").with_host(HostSpec::new("client").with_mtu(1300)));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    get_cookie(client, at(server.ipv4()));
    let connected = client
        .run(|| connector().connect((server.ipv4(), PORT), ReplaySafe([7; 5000])))
        .unwrap();
    assert_eq!(connected.outcome, Outcome::Accepted);
    let [attempt] = connected.attempts[..] else {
        panic!("{:?}", connected.attempts)
    };
    assert!(
        matches!(attempt.syn, fastopen::Syn::Fast { bytes: 1..=1260 }),
        "{attempt:?}"
    );
    assert_eq!(finish(&connected.stream).unwrap(), [7; 5000]);
}

/// It answers, and resets before the client has looked: the answer is not lost.
fn a_peer_that_resets_at_once_can_still_be_read() {
    let lab = lab(&Scenario::new("hasty").with_host(HostSpec::raw("peer")));
    let client = lab.client().unwrap();
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let address = at(peer.ipv4());
    let answering = std::thread::spawn(move || {
        let syn = peer.wait_for_syn(PORT, LONG).unwrap();
        peer.send(&syn.syn_ack(0).with_sequence(7)).unwrap();
        let base = SegmentBuilder::new(syn.segment().destination, syn.segment().source)
            .with_ack(syn.segment().sequence.wrapping_add(1));
        peer.send(&base.clone().with_sequence(8).with_psh().with_data("busy"))
            .unwrap();
        peer.send(&base.with_sequence(12).with_rst()).unwrap();
    });
    let plain = connector().with_policy(Policy::Off);
    let connected = client.run(|| plain.connect(address, ReplaySafe(""))).unwrap();
    answering.join().unwrap();
    let mut answer = [0; 4];
    std::io::Read::read_exact(&mut &connected.stream, &mut answer).unwrap();
    assert_eq!(&answer, b"busy");
}
