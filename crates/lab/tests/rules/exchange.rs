//! A lab with a scenario, and a request and its answer in it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use fastopen_lab::{Frame, Host, Lab, Point, Scenario};
use fastopen_wire::FastOpen;

use crate::support::{Listener, connect_fast};

pub(crate) const RTT: Duration = Duration::from_millis(60);
pub(crate) const SHORT: Duration = Duration::from_secs(5);

/// A host's address in the family that the test is for.
pub(crate) type Family = fn(&Host) -> IpAddr;

/// A lab in which the client has a cookie, and then the rules of a scenario.
pub(crate) fn lab(name: &str, address: Family) -> (Lab, SocketAddr, Listener) {
    let scenario = Scenario::named(name).unwrap().with_rtt(RTT);
    let (lab, target, listener) = lab_with_cookies(&scenario, address);
    lab.set_rules(scenario.rules).unwrap();
    (lab, target, listener)
}

/// A lab without rules whose server takes Fast Open on every listener, whose client has a cookie for it, and whose counters are 0.
pub(crate) fn lab_with_cookies(scenario: &Scenario, address: Family) -> (Lab, SocketAddr, Listener) {
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
pub(crate) fn is_fast_syn(frame: &Frame) -> bool {
    let segment = frame.segment().unwrap();
    let syn = segment.flags.syn && !segment.flags.ack;
    syn && frame.point == Point::Sent && matches!(segment.fast_open(), FastOpen::Cookie(..))
}

/// Sends a request fast, and what the server makes of it: the request comes once and whole, and so does the answer.
pub(crate) fn exchange(lab: &Lab, target: SocketAddr, listener: &Listener) -> Duration {
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

pub(crate) fn assert_round_trips(elapsed: Duration, expected: u32) {
    let (least, most) = (RTT * expected, RTT * expected + RTT * 9 / 10);
    assert!(
        elapsed >= least - Duration::from_millis(1) && elapsed < most,
        "{elapsed:?} is not {expected} × {RTT:?}"
    );
}
