//! The network that a lab is: hosts that reach each other, at the distance that the scenario says, and nothing else.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::testing::{self, test};
use fastopen_lab::{Host, HostSpec, Lab, Scenario};

fn main() -> ExitCode {
    testing::main([
        test(
            "hosts_reach_each_other_over_ipv4_and_ipv6",
            hosts_reach_each_other_over_ipv4_and_ipv6,
        ),
        test(
            "the_median_round_trip_is_right_to_half_a_millisecond",
            the_median_round_trip_is_right,
        ),
        test(
            "three_hundred_thousand_bytes_arrive_in_time",
            three_hundred_thousand_bytes_arrive_in_time,
        ),
        test(
            "closures_run_in_their_host_and_borrow_and_panic",
            closures_run_in_their_host,
        ),
        test(
            "threads_and_programs_run_in_their_host",
            threads_and_programs_run_in_their_host,
        ),
        test("settings_are_each_host_s_own", settings_are_each_host_s_own),
        test(
            "as_many_hosts_as_the_scenario_says",
            as_many_hosts_as_the_scenario_says,
        ),
        test(
            "addresses_that_nobody_has_never_answer",
            addresses_that_nobody_has_never_answer,
        ),
        test(
            "what_a_host_sends_is_what_would_be_on_a_wire",
            what_a_host_sends_is_what_would_be_on_a_wire,
        ),
        test(
            "errors_name_the_host_and_what_there_is",
            errors_name_the_host_and_what_there_is,
        ),
    ])
}

fn lab(rtt: Duration) -> Lab {
    Lab::new(&Scenario::new("test").with_rtt(rtt)).unwrap()
}

fn ends(lab: &Lab) -> (&Host, &Host) {
    (lab.client().unwrap(), lab.server().unwrap())
}

fn hosts_reach_each_other_over_ipv4_and_ipv6() {
    let lab = lab(Duration::from_millis(4));
    let (client, server) = ends(&lab);
    for address in server.addresses() {
        let listener = server.run(|| TcpListener::bind((address, 80))).unwrap();
        let mut stream = client.run(|| TcpStream::connect((address, 80))).unwrap();
        let (mut accepted, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), client.address_like(address));
        stream.write_all(b"there").unwrap();
        accepted.write_all(b"back").unwrap();
        let mut bytes = [0; 5];
        accepted.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"there");
        stream.read_exact(&mut bytes[..4]).unwrap();
        assert_eq!(&bytes[..4], b"back");
    }
}

/// What the hosts' own threads wait for a processor comes on top on a busy machine, so one of some series must be right.
fn the_median_round_trip_is_right() {
    const SERIES: usize = 5;
    for rtt in [
        Duration::ZERO,
        Duration::from_millis(10),
        Duration::from_millis(60),
    ] {
        let lab = lab(rtt);
        let (client, server) = ends(&lab);
        for address in server.addresses() {
            let mut medians = Vec::new();
            let right = (0..SERIES).any(|_| {
                let median = median_ping(client, server, address);
                medians.push(median);
                median.abs_diff(rtt) < Duration::from_micros(500)
            });
            assert!(right, "{address}: {medians:?} instead of {rtt:?}");
        }
        assert_eq!(lab.counters().overflowed, 0);
    }
}

fn median_ping(client: &Host, server: &Host, address: IpAddr) -> Duration {
    let echo = server.run(|| UdpSocket::bind((address, 0))).unwrap();
    let socket = client
        .run(|| UdpSocket::bind((client.address_like(address), 0)))
        .unwrap();
    socket.connect(echo.local_addr().unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok((len, from)) = echo.recv_from(&mut bytes) {
            if len == 0 {
                break;
            }
            let _ = echo.send_to(&bytes[..len], from);
        }
    });
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let start = Instant::now();
            socket.send(b"ping").unwrap();
            socket.recv(&mut [0; 64]).unwrap();
            start.elapsed()
        })
        .collect();
    socket.send(b"").unwrap();
    times.sort();
    times[times.len() / 2]
}

fn three_hundred_thousand_bytes_arrive_in_time() {
    const LEN: usize = 300_000;
    let lab = lab(Duration::from_millis(10));
    let (client, server) = ends(&lab);
    let sent: Vec<u8> = (0..LEN).map(|n| n as u8).collect();
    for address in server.addresses() {
        let listener = server.run(|| TcpListener::bind((address, 80))).unwrap();
        let mut stream = client.run(|| TcpStream::connect((address, 80))).unwrap();
        let start = Instant::now();
        let reader = thread::spawn(move || {
            let mut received = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
            received
        });
        stream.write_all(&sent).unwrap();
        drop(stream);
        assert!(reader.join().unwrap() == sent);
        // Slow start from ten segments needs five round trips.
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{:?}",
            start.elapsed()
        );
    }
    assert_eq!(lab.counters().overflowed, 0);
}

fn closures_run_in_their_host() {
    let lab = lab(Duration::ZERO);
    let (client, server) = ends(&lab);
    let mut seen = Vec::new();
    for host in [client, server] {
        seen.push(host.run(namespace));
    }
    assert_ne!(seen[0], seen[1]);
    assert_ne!(seen[0], namespace());
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        client.run(|| -> () { std::panic::resume_unwind(Box::new("as it must")) });
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"as it must"));
}

fn namespace() -> String {
    std::fs::read_link("/proc/thread-self/ns/net")
        .unwrap()
        .display()
        .to_string()
}

fn threads_and_programs_run_in_their_host() {
    let lab = lab(Duration::ZERO);
    let (client, server) = ends(&lab);
    let there = server.run(namespace);
    assert_eq!(server.spawn(namespace).join().unwrap(), there);
    let host = server.clone();
    let moved = thread::spawn(move || host.enter_thread().map(|()| namespace()));
    assert_eq!(moved.join().unwrap().unwrap(), there);
    let output = server
        .command("readlink")
        .unwrap()
        .arg("/proc/self/ns/net")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), there);
    assert_ne!(client.run(namespace), there);
}

fn settings_are_each_host_s_own() {
    const NAME: &str = "net.ipv4.tcp_fastopen";
    let scenario = Scenario::new("test").with_host(HostSpec::new("open").with_sysctl(NAME, "1027"));
    let lab = Lab::new(&scenario).unwrap();
    let values = || {
        lab.hosts()
            .iter()
            .map(|host| host.sysctl(NAME).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(values(), ["1", "3", "1027"]);
    lab.server().unwrap().set_sysctl(NAME, "0").unwrap();
    assert_eq!(values(), ["1", "0", "1027"]);
    let error = lab
        .server()
        .unwrap()
        .set_sysctl("net.ipv4.no_such", "0")
        .unwrap_err();
    assert!(
        error.to_string().starts_with("server: sysctl net.ipv4.no_such"),
        "{error}"
    );
}

fn as_many_hosts_as_the_scenario_says() {
    let names: Vec<String> = (0..10).map(|n| format!("h{n}")).collect();
    let mut scenario = Scenario::new("test").with_rtt(Duration::from_millis(1));
    scenario.hosts = names.iter().map(HostSpec::new).collect();
    let lab = Lab::new(&scenario).unwrap();
    let last = lab.host("h9").unwrap();
    assert_eq!(last.ipv6().to_string(), "2001:db8::a");
    let listener = last.run(|| TcpListener::bind("[::]:80")).unwrap();
    for name in &names[..9] {
        let host = lab.host(name).unwrap();
        for address in last.addresses() {
            let stream = host.run(|| TcpStream::connect((address, 80))).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer.port(), stream.local_addr().unwrap().port());
        }
    }
}

fn addresses_that_nobody_has_never_answer() {
    let lab = lab(Duration::ZERO);
    let client = lab.client().unwrap();
    for address in [
        "192.0.2.77:80",
        "198.51.100.1:80",
        "[2001:db8::77]:80",
        "[2001:db8:7::1]:80",
    ] {
        let address: SocketAddr = address.parse().unwrap();
        let error = client
            .run(|| TcpStream::connect_timeout(&address, Duration::from_millis(50)))
            .unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{address}: {error}");
    }
    assert!(lab.counters().unroutable >= 4);
}

fn what_a_host_sends_is_what_would_be_on_a_wire() {
    let lab = lab(Duration::from_millis(1));
    let (client, server) = ends(&lab);
    let capture = lab.capture();
    let listener = server.run(|| TcpListener::bind("0.0.0.0:80")).unwrap();
    let mut stream = client.run(|| TcpStream::connect((server.ipv4(), 80))).unwrap();
    stream.write_all(&[7; 100_000]).unwrap();
    drop(stream);
    listener.accept().unwrap().0.read_to_end(&mut Vec::new()).unwrap();
    let frames = capture.frames();
    assert!(frames.len() > 100);
    for frame in frames {
        assert!(frame.packet.len() <= 1500, "{} bytes", frame.packet.len());
        let (_, tcp) = etherparse::Ipv4Header::from_slice(&frame.packet).unwrap();
        let (header, data) = etherparse::TcpHeader::from_slice(tcp).unwrap();
        let ip = etherparse::Ipv4HeaderSlice::from_slice(&frame.packet).unwrap();
        let expected = header
            .calc_checksum_ipv4_raw(ip.source(), ip.destination(), data)
            .unwrap();
        assert_eq!(header.checksum, expected);
    }
    assert_eq!(capture.dropped(), 0);
}

fn errors_name_the_host_and_what_there_is() {
    let lab = lab(Duration::ZERO);
    let error = lab.host("sever").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the lab has no "sever", only client, server"#
    );
    let error = lab.server().unwrap().raw_peer().unwrap_err();
    assert!(error.to_string().contains("HostSpec::raw"), "{error}");
    assert!(lab.inject([0_u8; 4]).is_err());
}
