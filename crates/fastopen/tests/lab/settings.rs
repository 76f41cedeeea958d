//! What a caller can set: who resolves names, for how long, where from, and any socket option.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastopen::{ConnectError, Connector, ListenOptions, Outcome, ReplaySafe, SockRef, Syn};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, program, test};

use crate::support::{Driver, LONG, PORT, at, connector, finish, get_cookie, lab, runtime, serve};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("settings::a_resolver_of_the_callers", a_resolver_of_the_callers),
        test(
            "settings::the_time_limit_includes_resolving",
            the_time_limit_includes_resolving,
        ),
        test("settings::each_attempt_has_a_limit", each_attempt_has_a_limit),
        test("settings::a_local_port", a_local_port),
        test("settings::mapped_addresses_are_ipv4", mapped_addresses_are_ipv4),
        test(
            "settings::a_link_local_address_takes_the_destinations_scope",
            a_link_local_address_takes_the_destinations_scope,
        ),
        test("settings::any_socket_option", any_socket_option),
        test("settings::errors_keep_their_number", errors_keep_their_number),
        test(
            "settings::a_syn_that_the_own_firewall_dropped_carried_nothing",
            a_syn_that_the_own_firewall_dropped_carried_nothing,
        ),
        test(
            "settings::a_paused_clock_does_not_spin",
            a_paused_clock_does_not_spin,
        ),
    ]
    .into_iter()
}

fn a_resolver_of_the_callers() {
    let lab = lab(&Scenario::new("resolver"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    let ip = server.ipv6();
    let connector = connector().with_resolver(move |host: &str, port: u16| match host {
        "a.test" => Ok(vec![SocketAddr::new(ip.into(), port)]),
        "empty.test" => Ok(Vec::new()),
        _ => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no such host in this test",
        )),
    });
    let by_name = client.run(|| connector.connect(("a.test", PORT), ReplaySafe("GET /")));
    assert_eq!(finish(&by_name.unwrap().stream).unwrap(), b"GET /");
    let by_string =
        client.run(|| runtime().block_on(connector.connect_tokio("a.test:80", ReplaySafe("GET /"))));
    by_string.unwrap();
    let nowhere = client.run(|| connector.connect("empty.test:80", ReplaySafe("GET /")));
    assert!(matches!(nowhere, Err(ConnectError::NoAddress)));
    let unknown = client
        .run(|| connector.connect("b.test:80", ReplaySafe("GET /")))
        .unwrap_err();
    assert!(
        unknown.to_string().contains("no such host in this test"),
        "{unknown}"
    );
}

fn the_time_limit_includes_resolving() {
    let slow = |_: &str, _: u16| {
        std::thread::sleep(Duration::from_secs(2));
        Err(io::ErrorKind::NotFound.into())
    };
    let connector = connector()
        .with_resolver(slow)
        .with_timeout(Duration::from_millis(100));
    let began = Instant::now();
    let blocking = connector.connect("slow.test:80", ReplaySafe("?")).unwrap_err();
    let runtime = runtime();
    let with_tokio = runtime.block_on(connector.connect_tokio("slow.test:80", ReplaySafe("?")));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    runtime.shutdown_background();
    for error in [blocking, with_tokio.unwrap_err()] {
        assert_eq!(error.to_string(), "the name was not resolved within 100ms");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}

fn each_attempt_has_a_limit() {
    let lab = lab(&Scenario::new("limits"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    let nobody = SocketAddr::from(([198, 18, 0, 1], PORT));
    let connector = connector()
        .with_attempt_timeout(Duration::from_millis(50))
        .with_address_delay(Duration::from_secs(3600));
    let began = Instant::now();
    let connected = client.run(|| connector.connect([nobody, at(server.ipv4())], ReplaySafe("GET /")));
    assert_eq!(connected.unwrap().stream.peer_addr().unwrap(), at(server.ipv4()));
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    for driver in Driver::ALL {
        let error = driver.connect(client, &connector, nobody, b"GET /").unwrap_err();
        assert!(matches!(error, ConnectError::Failed { .. }), "{error}");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}

fn a_local_port() {
    let lab = lab(&Scenario::new("local"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    for (ours, theirs) in client.addresses().into_iter().zip(server.addresses()) {
        let local = SocketAddr::new(ours, 4321);
        let connector = connector().with_local_socket_address(local);
        let connected = client
            .run(|| connector.connect(at(theirs), ReplaySafe("GET /")))
            .unwrap();
        assert_eq!(connected.stream.local_addr().unwrap(), local);
        finish(&connected.stream).unwrap();
    }
}

fn a_link_local_address_takes_the_destinations_scope() {
    let lab = lab(&Scenario::new("link-local"));
    let client = lab.client().unwrap();
    for address in ["fe80::1/64", "fe80::2/64"] {
        let added = program(client, "ip")
            .args(["-6", "addr", "add", address, "dev", "lo", "nodad"])
            .status();
        assert!(added.unwrap().success());
    }
    let ours: std::net::IpAddr = "fe80::1".parse().unwrap();
    let theirs = std::net::SocketAddrV6::new("fe80::2".parse().unwrap(), PORT, 0, 1);
    let _listening = client.run(|| fastopen::listen(theirs)).unwrap();
    let connector = connector().with_local_address(ours);
    let connected = client
        .run(|| connector.connect(theirs, ReplaySafe("GET /")))
        .unwrap();
    let local = connected.stream.local_addr().unwrap();
    assert!(
        matches!(local, SocketAddr::V6(local) if local.scope_id() == 1),
        "{local}"
    );
    assert_eq!(local.ip(), ours);
}

fn mapped_addresses_are_ipv4() {
    let lab = lab(&Scenario::new("mapped"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    let mapped = |ip: std::net::Ipv4Addr| std::net::IpAddr::from(ip.to_ipv6_mapped());
    for (local, destination) in [
        (client.ipv4().into(), mapped(server.ipv4())),
        (mapped(client.ipv4()), server.ipv4().into()),
        (mapped(client.ipv4()), mapped(server.ipv4())),
    ] {
        for driver in Driver::ALL {
            let connector = connector().with_local_address(local);
            let connected = driver
                .connect(client, &connector, at(destination), b"GET /")
                .unwrap();
            assert_eq!(connected.stream.peer_addr().unwrap().ip(), destination);
            assert_eq!(
                connected.stream.local_addr().unwrap().ip().to_canonical(),
                client.ipv4()
            );
            assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
        }
    }
}

fn any_socket_option() {
    let lab = lab(&Scenario::new("options"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    let set = connector().with_socket_setup(|socket: SockRef<'_>| {
        socket.set_tcp_nodelay(true)?;
        socket.set_keepalive(true)?;
        socket.set_tos_v4(0x28)
    });
    get_cookie(client, at(server.ipv4()));
    for driver in Driver::ALL {
        let connected = driver.connect(client, &set, at(server.ipv4()), b"GET /").unwrap();
        let socket = SockRef::from(&connected.stream);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tos_v4().unwrap(), 0x28);
        assert_eq!(connected.outcome, Outcome::Accepted);
    }
    let refuse = connector().with_socket_setup(|_| Err(io::Error::from_raw_os_error(libc::EPERM)));
    let error = client
        .run(|| refuse.connect(at(server.ipv4()), ReplaySafe("GET /")))
        .unwrap_err();
    assert_eq!(error.attempts().len(), 1);
    assert_eq!(io::Error::from(error).raw_os_error(), Some(libc::EPERM));
}

fn errors_keep_their_number() {
    let lab = lab(&Scenario::new("errors"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let closed = SocketAddr::new(server.ipv4().into(), 81);
    for driver in Driver::ALL {
        let error = driver
            .connect(client, &connector(), closed, b"GET /")
            .unwrap_err();
        assert!(!error.attempts().is_empty());
        assert_eq!(io::Error::from(error).raw_os_error(), Some(libc::ECONNREFUSED));
    }
    let in_use = server.run(|| {
        let _one = fastopen::listen(("0.0.0.0", 9000))?;
        fastopen::listen(("0.0.0.0", 9000))
    });
    assert_eq!(
        io::Error::from(in_use.unwrap_err()).raw_os_error(),
        Some(libc::EADDRINUSE)
    );
}

fn a_syn_that_the_own_firewall_dropped_carried_nothing() {
    let lab = lab(&Scenario::new("own firewall"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let _served = serve(server, &ListenOptions::new());
    get_cookie(client, at(server.ipv4()));
    for rule in [
        "add table inet t",
        "add chain inet t o { type filter hook output priority 0; }",
        "add rule inet t o tcp option fastopen exists drop",
    ] {
        let status = program(client, "nft").arg(rule).status();
        assert!(status.unwrap().success(), "{rule}");
    }
    for driver in Driver::ALL {
        let connected = driver
            .connect(client, &connector(), at(server.ipv4()), b"GET /")
            .unwrap();
        let [fast, plain] = connected.attempts[..] else {
            panic!("{:?}", connected.attempts)
        };
        assert_eq!((fast.syn, plain.syn), (Syn::Fast { bytes: 0 }, Syn::Plain));
        assert_eq!(connected.outcome, Outcome::SynLost);
        assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
    }
}

/// With tokio's clock paused, time passes only when nothing else is left to do.
fn a_paused_clock_does_not_spin() {
    let lab = lab(&Scenario::named("unreachable").unwrap());
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let address = at(server.ipv4());
    let connector: Connector = connector().with_timeout(Duration::from_secs(3600));
    let (error, spent) = client.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let before = processor_time();
        let error = runtime
            .block_on(connector.connect_tokio(address, ReplaySafe("?")))
            .unwrap_err();
        (error, processor_time() - before)
    });
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    assert!(
        spent < Duration::from_millis(500),
        "an hour took {spent:?} of processor time"
    );
    assert!(
        error
            .attempts()
            .iter()
            .all(|attempt| attempt.elapsed > Duration::from_secs(3000))
    );
}

/// What this thread has used.
fn processor_time() -> Duration {
    let usage = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(usage.split_whitespace().next().unwrap().parse().unwrap())
}
