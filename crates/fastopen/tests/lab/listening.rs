//! A listener's settings, and what arrivals say.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use fastopen::{
    Arrival, ArrivalKind, FastOpen, Key, KeyRing, ListenOptions, ListenWarning, OptionKind, Outcome,
    ReplaySafe, confirmed_within,
};
use fastopen_host::KernelVersion;
use fastopen_lab::testing::{LabTest, skip, test};
use fastopen_lab::{Host, HostSpec, Lab, Scenario};

use socket2::{Domain, Protocol, Socket, Type};

use crate::support::{LONG, PORT, at, connector, finish, get_cookie, lab, runtime, serve, served_from};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "listening::cookies_are_those_of_the_key",
            cookies_are_those_of_the_key,
        ),
        test(
            "listening::a_rotated_key_still_takes_the_old_cookies",
            a_rotated_key_still_takes_the_old_cookies,
        ),
        test(
            "listening::somaxconn_caps_the_queue_and_a_warning_says_so",
            somaxconn_caps_the_queue,
        ),
        test(
            "listening::a_machine_without_the_server_bit_is_warned_about",
            the_server_bit_is_off,
        ),
        test(
            "listening::options_apply_to_a_socket_of_somebody_else",
            options_apply_to_a_socket_of_somebody_else,
        ),
        test(
            "listening::dual_stack_takes_both_families",
            dual_stack_takes_both_families,
        ),
        test(
            "listening::two_listeners_share_a_port",
            two_listeners_share_a_port,
        ),
        test(
            "listening::arrivals_say_what_the_syn_said",
            arrivals_say_what_the_syn_said,
        ),
        test(
            "listening::a_full_queue_falls_back_to_the_ordinary_handshake",
            a_full_queue_falls_back,
        ),
        test(
            "listening::the_saved_syn_is_handed_out_once",
            the_saved_syn_is_handed_out_once,
        ),
        test(
            "listening::no_syn_makes_an_arrival_an_error",
            no_syn_makes_an_arrival_an_error,
        ),
        test("listening::mptcp_listeners_take_the_options", mptcp_listeners),
        test(
            "listening::the_callers_setup_runs_before_bind",
            the_callers_setup_runs_before_bind,
        ),
        test(
            "listening::an_address_in_use_is_named",
            an_address_in_use_is_named,
        ),
    ]
    .into_iter()
}

fn key(byte: u8) -> Key {
    Key::new([byte; Key::LEN])
}

/// What a connection from the client comes to, and how it arrived.
fn connect(
    lab: &Lab,
    served: &std::sync::mpsc::Receiver<crate::support::Served>,
    address: SocketAddr,
) -> (Outcome, Arrival) {
    let patient = connector().with_delay(LONG);
    let connected = lab
        .client()
        .unwrap()
        .run(|| patient.connect(address, ReplaySafe("GET /")))
        .unwrap();
    assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
    let port = connected.stream.local_addr().unwrap().port();
    (connected.outcome, served_from(served, port).arrival)
}

fn cookies_are_those_of_the_key() {
    let lab = lab(&Scenario::new("keys"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let served = serve(server, &ListenOptions::new().with_keys(key(7)));
    for (client_ip, server_ip) in client.addresses().into_iter().zip(server.addresses()) {
        let (outcome, arrival) = connect(&lab, &served, at(server_ip));
        assert_eq!(
            (outcome, arrival.kind),
            (Outcome::NoCookie, ArrivalKind::CookieRequested)
        );
        let (outcome, arrival) = connect(&lab, &served, at(server_ip));
        assert_eq!(
            (outcome, arrival.kind),
            (Outcome::Accepted, ArrivalKind::Fast { data: true })
        );
        let syn = arrival.syn.unwrap();
        let cookie = key(7).cookie(client_ip, server_ip).unwrap();
        assert_eq!(
            (syn.fast_open, syn.data_bytes),
            (FastOpen::Cookie(OptionKind::Standard, cookie), 5)
        );
    }
}

fn a_rotated_key_still_takes_the_old_cookies() {
    let lab = lab(&Scenario::new("rotation"));
    let server = lab.server().unwrap();
    let address = at(server.ipv4());
    let mut keys = KeyRing::new(key(1));
    let listener = server
        .run(|| ListenOptions::new().with_keys(keys.clone()).listen(address))
        .unwrap()
        .listener;
    let accepting = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        for stream in accepting.incoming() {
            let _ = std::io::copy(&mut stream.as_ref().unwrap(), &mut stream.as_ref().unwrap());
        }
    });
    let outcome = || {
        let connected = lab
            .client()
            .unwrap()
            .run(|| connector().connect(address, ReplaySafe("GET /")))
            .unwrap();
        assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
        connected.outcome
    };
    assert_eq!([outcome(), outcome()], [Outcome::NoCookie, Outcome::Accepted]);
    keys.rotate(key(2));
    ListenOptions::new()
        .with_keys(keys.clone())
        .apply(&listener)
        .unwrap();
    assert_eq!(
        outcome(),
        Outcome::Accepted,
        "the backup key takes it, and grants a cookie of the primary one"
    );
    keys.rotate(key(3));
    ListenOptions::new().with_keys(keys).apply(&listener).unwrap();
    assert_eq!(outcome(), Outcome::Accepted, "which is the backup key now");
    ListenOptions::new().with_keys(key(9)).apply(&listener).unwrap();
    assert_eq!(
        [outcome(), outcome()],
        [Outcome::Ignored, Outcome::Accepted],
        "a key that nobody knows of"
    );
}

fn somaxconn_caps_the_queue() {
    let lab = lab(&Scenario::new("somaxconn"));
    let server = lab.server().unwrap();
    server.set_sysctl("net.core.somaxconn", "64").unwrap();
    let listening = server
        .run(|| ListenOptions::new().with_queue(100).listen(("::", PORT)))
        .unwrap();
    assert_eq!(
        listening.warnings,
        [ListenWarning::QueueCapped { asked: 100, got: 64 }]
    );
    let listening = server
        .run(|| ListenOptions::new().with_queue(64).listen(("::", PORT + 1)))
        .unwrap();
    assert_eq!(listening.warnings, []);
}

fn the_server_bit_is_off() {
    let lab = lab(&Scenario::new("server bit"));
    let server = lab.server().unwrap();
    server.set_sysctl("net.ipv4.tcp_fastopen", "1").unwrap();
    let listening = server.run(|| ListenOptions::new().listen(("::", PORT))).unwrap();
    assert_eq!(listening.warnings, [ListenWarning::ServerDisabled]);
    let listening = server
        .run(|| ListenOptions::new().with_queue(0).listen(("::", PORT + 1)))
        .unwrap();
    assert_eq!(listening.warnings, [], "nobody wants it");
}

fn options_apply_to_a_socket_of_somebody_else() {
    let lab = lab(&Scenario::new("apply"));
    let server = lab.server().unwrap();
    let address = at(server.ipv6());
    let listener = server.run(|| TcpListener::bind(address)).unwrap();
    assert_eq!(server.run(|| ListenOptions::new().apply(&listener)).unwrap(), []);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = std::io::copy(&mut stream.as_ref().unwrap(), &mut stream.as_ref().unwrap());
        }
    });
    get_cookie(lab.client().unwrap(), address);
    let connected = lab
        .client()
        .unwrap()
        .run(|| connector().connect(address, ReplaySafe("GET /")))
        .unwrap();
    assert_eq!(connected.outcome, Outcome::Accepted);
}

fn dual_stack_takes_both_families() {
    let lab = lab(&Scenario::new("dual stack"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    server.set_sysctl("net.ipv6.bindv6only", "1").unwrap();
    let _both = server.run(|| ListenOptions::new().listen(("::", PORT))).unwrap();
    let one = server
        .run(|| {
            ListenOptions::new()
                .with_dual_stack(false)
                .listen(("::", PORT + 1))
        })
        .unwrap();
    let connects = |ip, port| {
        client
            .run(|| connector().connect((ip, port), ReplaySafe("")))
            .is_ok()
    };
    let [v4, v6] = server.addresses();
    assert_eq!([connects(v4, PORT), connects(v6, PORT)], [true, true]);
    assert_eq!([connects(v4, PORT + 1), connects(v6, PORT + 1)], [false, true]);
    drop(one);
}

fn two_listeners_share_a_port() {
    let lab = lab(&Scenario::new("reuse port"));
    let server = lab.server().unwrap();
    let listen = |host: &Host| {
        let options = ListenOptions::new().with_reuse_port(true);
        host.run(|| options.listen(("0.0.0.0", PORT))).unwrap().listener
    };
    let listeners = [listen(server), listen(server)];
    for listener in listeners {
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = std::io::copy(&mut stream.as_ref().unwrap(), &mut stream.as_ref().unwrap());
            }
        });
    }
    let address = at(server.ipv4());
    get_cookie(lab.client().unwrap(), address);
    for _ in 0..20 {
        let connected = lab
            .client()
            .unwrap()
            .run(|| connector().connect(address, ReplaySafe("GET /")))
            .unwrap();
        assert_eq!(
            connected.outcome,
            Outcome::Accepted,
            "one cookie is good for both"
        );
    }
}

/// What a kernel would not send.
fn arrivals_say_what_the_syn_said() {
    let lab = lab(&Scenario::new("odd SYNs").with_host(HostSpec::raw("peer")));
    let server = lab.server().unwrap();
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    for ip in server.addresses() {
        let listener = server.run(|| fastopen::listen((ip, PORT))).unwrap();
        let target = at(ip);
        let standard = |cookie_len| FastOpen::Malformed {
            kind: OptionKind::Standard,
            cookie_len,
        };
        let forged = FastOpen::Cookie(OptionKind::Standard, "5eed5eed5eed5eed".parse().unwrap());
        for (cookie, data, said, kind) in [
            (
                Some(&[][..]),
                "",
                FastOpen::Request(OptionKind::Standard),
                ArrivalKind::CookieRequested,
            ),
            (None, "", FastOpen::Absent, ArrivalKind::Plain),
            (None, "early", FastOpen::Absent, ArrivalKind::Plain),
            (
                Some(&[0x5e, 0xed, 0x5e, 0xed, 0x5e, 0xed, 0x5e, 0xed][..]),
                "early",
                forged,
                ArrivalKind::Plain,
            ),
            (Some(&[1, 2, 3][..]), "early", standard(3), ArrivalKind::Plain),
            (Some(&[1; 18][..]), "early", standard(18), ArrivalKind::Plain),
        ] {
            let syn = peer.syn(target).with_data(data);
            let syn = cookie.map_or_else(|| syn.clone(), |cookie| syn.clone().with_fast_open(cookie));
            peer.connect(&syn, LONG).unwrap();
            let (stream, _) = listener.accept().unwrap();
            let arrival = Arrival::of(&stream).unwrap();
            let syn = arrival.syn.expect("the SYN was saved");
            assert_eq!(
                (syn.fast_open, syn.data_bytes, arrival.kind, arrival.confirmed),
                (said, data.len(), kind, true)
            );
        }
        // A good cookie without data: the connection stands, and nothing is there to read.
        let granted = peer
            .connect(&peer.syn(target).with_fast_open(&[]), LONG)
            .unwrap()
            .fast_open();
        let FastOpen::Cookie(_, cookie) = granted else {
            panic!("{granted:?}")
        };
        listener.accept().unwrap();
        let syn = peer.syn(target).with_fast_open(cookie.as_bytes());
        peer.send(&syn).unwrap();
        peer.half_open(&syn, LONG).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let arrival = Arrival::of(&stream).unwrap();
        assert_eq!(
            (arrival.kind, arrival.confirmed),
            (ArrivalKind::Fast { data: false }, false)
        );
    }
}

fn a_full_queue_falls_back() {
    let lab = lab(&Scenario::new("full queue").with_host(HostSpec::raw("peer")));
    let server = lab.server().unwrap();
    let address = at(server.ipv4());
    let served = serve(
        server,
        &ListenOptions::new()
            .with_queue(1)
            .with_handshake_timeout(Duration::from_secs(7)),
    );
    get_cookie(lab.client().unwrap(), address);
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let granted = peer
        .connect(&peer.syn(address).with_fast_open(&[]), LONG)
        .unwrap()
        .fast_open();
    let FastOpen::Cookie(_, cookie) = granted else {
        panic!("{granted:?}")
    };
    let syn = peer
        .syn(address)
        .with_fast_open(cookie.as_bytes())
        .with_data("unconfirmed");
    peer.send(&syn).unwrap();
    peer.half_open(&syn, LONG).unwrap();
    let (outcome, arrival) = connect(&lab, &served, address);
    assert_eq!((outcome, arrival.kind), (Outcome::Ignored, ArrivalKind::Plain));
}

fn the_saved_syn_is_handed_out_once() {
    let lab = lab(&Scenario::new("saved SYN"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let without = server
        .run(|| {
            ListenOptions::new()
                .with_saved_syn(false)
                .listen(("::", PORT + 1))
        })
        .unwrap()
        .listener;
    let with = server.run(|| fastopen::listen(("::", PORT))).unwrap();
    let _streams = [PORT, PORT + 1]
        .map(|port| client.run(|| connector().connect((server.ipv4(), port), ReplaySafe("?"))));
    let (stream, _) = with.accept().unwrap();
    assert!(Arrival::of(&stream).unwrap().syn.is_some());
    assert!(Arrival::of(&stream).unwrap().syn.is_none());
    let (stream, _) = without.accept().unwrap();
    assert_eq!(Arrival::of(&stream).unwrap().syn, None);
}

/// IPv6 destination options make the headers longer than any client of good faith does, in a fast SYN and in an ordinary one.
fn no_syn_makes_an_arrival_an_error() {
    let lab = lab(&Scenario::new("long headers").with_host(HostSpec::raw("peer")));
    let server = lab.server().unwrap();
    let target = at(server.ipv6());
    let listener = server.run(|| fastopen::listen(target)).unwrap();
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let granted = peer.connect(&peer.syn(target).with_fast_open(&[]), LONG).unwrap();
    let FastOpen::Cookie(_, cookie) = granted.fast_open() else {
        panic!("no cookie")
    };
    listener.accept().unwrap();
    for options in [0, 1, 4, 5] {
        let syn = peer.syn(target).with_data("early");
        let fast = peer
            .syn(target)
            .with_fast_open(cookie.as_bytes())
            .with_data("early");
        for (syn, kind) in [
            (syn, ArrivalKind::Plain),
            (fast, ArrivalKind::Fast { data: true }),
        ] {
            peer.send_packet(&with_destination_options(&syn.to_packet(), options))
                .unwrap();
            let half_open = peer.half_open(&syn, LONG).unwrap();
            if kind == ArrivalKind::Plain {
                peer.send(&half_open.segment()).unwrap();
            }
            let (stream, _) = listener.accept().unwrap();
            let arrival = Arrival::of(&stream).unwrap();
            assert_eq!(arrival.kind, kind);
            let syn = arrival.syn.expect("the whole SYN was saved");
            assert_eq!(syn.data_bytes, 5, "{options} options");
        }
    }
}

/// Puts so many options of 252 bytes between the IPv6 header and the segment, of a kind that receivers skip.
fn with_destination_options(packet: &[u8], options: usize) -> Vec<u8> {
    const IPV6_HEADER: usize = 40;
    const NEXT_HEADER: usize = 6;
    const DESTINATION_OPTIONS: u8 = 60;
    const EXPERIMENT: u8 = 0x1e;
    let (header, segment) = packet.split_at(IPV6_HEADER);
    let mut extension = vec![header[NEXT_HEADER], 0];
    for _ in 0..options {
        extension.extend([EXPERIMENT, 250]);
        extension.extend([0x5a; 250]);
    }
    // The last option fills the header up to a multiple of eight bytes (PadN); Linux drops packets with more padding than that takes.
    let padding = (8 - (extension.len() + 2) % 8) % 8;
    extension.extend([1, padding as u8]);
    extension.extend(vec![0; padding]);
    extension[1] = u8::try_from(extension.len() / 8 - 1).unwrap();
    let mut header = header.to_vec();
    header[NEXT_HEADER] = DESTINATION_OPTIONS;
    let len = u16::try_from(extension.len() + segment.len()).unwrap();
    header[4..6].copy_from_slice(&len.to_be_bytes());
    [&header, &extension, segment].concat()
}

/// They keep no SYNs and have no handshake timeout; before Linux 6.2 they have no Fast Open.
fn mptcp_listeners() {
    let lab = lab(&Scenario::new("mptcp listener").with_host(HostSpec::raw("peer")));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    if server.sysctl("net.mptcp.enabled").is_err() {
        skip("this kernel is built without MPTCP (CONFIG_MPTCP)");
    }
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    for ip in server.addresses() {
        let address = at(ip);
        let socket = server.run(|| {
            let socket =
                Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::MPTCP)).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&address.into()).unwrap();
            socket
        });
        let apply = |options: ListenOptions| server.run(|| options.apply(&socket)).unwrap();
        let has_fast_open = apply(ListenOptions::new().with_keys(key(7))) != [ListenWarning::Unsupported];
        let asks_for_nothing_it_lacks = ListenOptions::new()
            .with_saved_syn(false)
            .with_handshake_timeout(None);
        if has_fast_open {
            assert_eq!(
                apply(ListenOptions::new()),
                [ListenWarning::NoSavedSyn, ListenWarning::NoHandshakeTimeout]
            );
            assert_eq!(apply(asks_for_nothing_it_lacks), []);
        } else {
            assert!(KernelVersion::running().unwrap() < KernelVersion::new(6, 2, 0));
            assert_eq!(
                apply(asks_for_nothing_it_lacks.clone()),
                [ListenWarning::Unsupported]
            );
            assert_eq!(apply(asks_for_nothing_it_lacks.with_queue(0)), []);
        }
        socket.listen(100).unwrap();
        let listener = TcpListener::from(socket);

        // From an MPTCP client and from a TCP client.
        for mptcp in [true, false] {
            let connector = connector().with_mptcp(mptcp).with_delay(LONG);
            for first in [mptcp, false] {
                let connected = client
                    .run(|| connector.connect(address, ReplaySafe("GET /")))
                    .unwrap();
                let (stream, _) = listener.accept().unwrap();
                let arrival = Arrival::of(&stream).unwrap();
                let fast = has_fast_open && !first;
                assert_eq!(connected.outcome == Outcome::Accepted, fast, "{connected:?}");
                assert_eq!(arrival.kind == ArrivalKind::Fast { data: true }, fast);
                confirmed_within(&stream, LONG).unwrap();
                assert!(Arrival::of(&stream).unwrap().confirmed);
            }
        }
        if !has_fast_open {
            continue;
        }
        let granted = peer
            .connect(&peer.syn(address).with_fast_open(&[]), LONG)
            .unwrap();
        let FastOpen::Cookie(_, cookie) = granted.fast_open() else {
            panic!("no cookie")
        };
        assert_eq!(Some(cookie), key(7).cookie(peer.address_like(ip), ip));
        listener.accept().unwrap();
        let syn = peer
            .syn(address)
            .with_fast_open(cookie.as_bytes())
            .with_data("order");
        peer.send(&syn).unwrap();
        let half_open = peer.half_open(&syn, LONG).unwrap();
        let (stream, _) = listener.accept().unwrap();
        assert_eq!(
            Arrival::of(&stream).unwrap().to_string(),
            "fast, data in the SYN, not confirmed"
        );
        let error = confirmed_within(&stream, Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        peer.send(&half_open.segment()).unwrap();
        confirmed_within(&stream, LONG).unwrap();
    }
}

fn the_callers_setup_runs_before_bind() {
    let lab = lab(&Scenario::new("setup"));
    let server = lab.server().unwrap();
    let address = at(server.ipv4());
    let options = ListenOptions::new().with_socket_setup(|socket| {
        assert!(
            socket
                .local_addr()?
                .as_socket()
                .is_none_or(|address| address.port() == 0)
        );
        // Without it the address of somebody else can't be bound.
        socket.set_freebind_v4(true)
    });
    let elsewhere = SocketAddr::new([203, 0, 113, 1].into(), PORT);
    let refused = server.run(|| fastopen::listen(elsewhere)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrNotAvailable);
    server.run(|| options.listen(elsewhere)).unwrap();
    server
        .run(|| runtime().block_on(options.listen_tokio(address)))
        .unwrap();

    let forbidden = ListenOptions::new().with_socket_setup(|_| Err(std::io::ErrorKind::Other.into()));
    let error = server.run(|| forbidden.listen(address)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "listening on 192.0.2.2:80: socket setup: Operation canceled (os error 125)"
    );
}

fn an_address_in_use_is_named() {
    let lab = lab(&Scenario::new("in use"));
    let server = lab.server().unwrap();
    let _listener = server.run(|| fastopen::listen(("0.0.0.0", PORT))).unwrap();
    let error = server.run(|| fastopen::listen(("0.0.0.0", PORT))).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(
        error.to_string().starts_with("listening on 0.0.0.0:80: "),
        "{error}"
    );
}
