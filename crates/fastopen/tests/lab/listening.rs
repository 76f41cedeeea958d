//! A listener's settings.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use fastopen::{
    Arrival, ArrivalKind, FastOpen, Key, KeyRing, ListenOptions, ListenWarning, OptionKind, Outcome,
    ReplaySafe, confirmed_within,
};
use fastopen_host::KernelVersion;
use fastopen_lab::testing::{LabTest, skip, test};
use fastopen_lab::{Host, HostSpec, Scenario};

use socket2::{Domain, Protocol, Socket, Type};

use crate::support::{LONG, PORT, at, connect_to, connector, echo, finish, get_cookie, lab, runtime, serve};

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

fn cookies_are_those_of_the_key() {
    let lab = lab(&Scenario::new("keys"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let served = serve(server, &ListenOptions::new().with_keys(key(7)));
    for (client_ip, server_ip) in client.addresses().into_iter().zip(server.addresses()) {
        let (outcome, arrival) = connect_to(&lab, &served, at(server_ip));
        assert_eq!(
            (outcome, arrival.kind),
            (Outcome::NoCookie, ArrivalKind::CookieRequested)
        );
        let (outcome, arrival) = connect_to(&lab, &served, at(server_ip));
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
    echo(listener.try_clone().unwrap());
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
    echo(listener);
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
    listeners.into_iter().for_each(echo);
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
