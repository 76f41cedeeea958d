//! What completes the wait, and what ends it.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use fastopen::for_tokio::Confirmation;
use fastopen::{Arrival, ArrivalKind, ReplaySafe, confirmed, confirmed_within};
use fastopen_lab::{HostSpec, Scenario};

use super::{RTT, held, listener_with_a_cookie, unconfirmed_by_a_raw_peer};
use crate::support::{Driver, LONG, connector, each_way, lab, runtime};

/// Waits for the proof either way, and says how long that took.
fn wait(driver: Driver, stream: &TcpStream) -> (std::io::Result<()>, Duration) {
    let began = Instant::now();
    let result = match driver {
        Driver::Blocking => confirmed(stream),
        Driver::Tokio => {
            stream.set_nonblocking(true).unwrap();
            let result = runtime().block_on(async { Confirmation::new(stream)?.await });
            stream.set_nonblocking(false).unwrap();
            result
        }
    };
    (result, began.elapsed())
}

pub(super) fn a_replayed_syn_never_confirms() {
    each_way(|driver, family| {
        let lab = lab(&Scenario::named("replay").unwrap());
        let (listener, address) = listener_with_a_cookie(&lab, family);
        let connected = lab
            .client()
            .unwrap()
            .run(|| connector().connect(address, ReplaySafe("order")))
            .unwrap();
        let port = connected.stream.local_addr().unwrap().port();
        for _ in 0..2 {
            let (mut stream, peer) = listener.accept().unwrap();
            let arrival = Arrival::of(&stream).unwrap();
            assert_eq!(arrival.kind, ArrivalKind::Fast { data: true });
            let mut order = [0; 5];
            stream.read_exact(&mut order).unwrap();
            assert_eq!(&order, b"order", "the replay's data is there, too");
            let (result, took) = wait(driver, &stream);
            if peer.port() == port {
                result.expect("the client is real");
            } else {
                assert_eq!(
                    result.expect_err("nobody is there").kind(),
                    ErrorKind::ConnectionAborted
                );
                assert!(took > Duration::from_millis(2500), "it ended after {took:?}");
            }
        }
    });
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Buffer {
    Free,
    Full,
}

pub(super) fn a_late_ack_confirms(buffer: Buffer) {
    each_way(|driver, family| {
        let lab = lab(&Scenario::new("held").with_rtt(RTT));
        let (stream, _client) = held(&lab, family);
        if buffer == Buffer::Full {
            fill_send_buffer(&stream);
        }
        let (result, late) = thread::scope(|scope| {
            let waiting = scope.spawn(|| (wait(driver, &stream).0, Instant::now()));
            thread::sleep(3 * RTT);
            assert!(!waiting.is_finished(), "nothing has confirmed it yet");
            let released = Instant::now();
            lab.release();
            let (result, ended) = waiting.join().unwrap();
            (result, ended - released)
        });
        result.unwrap();
        assert!(late < RTT, "{driver:?}: {late:?} after the ACK set out");
    });
}

/// The peer acknowledges the SYN-ACK and none of the answer, so that the buffer stays full: then nothing tells epoll.
pub(super) fn an_ack_confirms_while_the_send_buffer_stays_full() {
    each_way(|driver, family| {
        let lab = lab(&Scenario::new("slow reader").with_host(HostSpec::raw("peer")));
        let (stream, half_open, peer) = unconfirmed_by_a_raw_peer(&lab, family);
        fill_send_buffer(&stream);
        let (result, late) = thread::scope(|scope| {
            let waiting = scope.spawn(|| (wait(driver, &stream).0, Instant::now()));
            thread::sleep(Duration::from_millis(300));
            assert!(!waiting.is_finished(), "nothing has confirmed it yet");
            let sent = Instant::now();
            peer.send(&half_open.segment()).unwrap();
            let (result, ended) = waiting.join().unwrap();
            (result, ended - sent)
        });
        result.unwrap();
        assert!(late < RTT, "{driver:?}: {late:?} after the ACK set out");
    });
}

fn fill_send_buffer(mut stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let full = loop {
        if let Err(error) = stream.write(&[0; 65536]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
}

pub(super) fn a_reset_ends_it() {
    each_way(|driver, family| {
        let lab = lab(&Scenario::new("reset by the client").with_host(HostSpec::raw("peer")));
        let (stream, half_open, peer) = unconfirmed_by_a_raw_peer(&lab, family);
        let result = thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(driver, &stream).0);
            thread::sleep(Duration::from_millis(100));
            peer.send(&half_open.rst()).unwrap();
            waiting.join().unwrap()
        });
        assert_eq!(
            result.expect_err("the client has gone").kind(),
            ErrorKind::ConnectionAborted
        );
        let arrival = Arrival::of(&stream).unwrap();
        assert_eq!(arrival.to_string(), "fast, 5 bytes in the SYN, not confirmed");
        let mut order = Vec::new();
        let ended = (&stream).read_to_end(&mut order);
        assert_eq!(
            (&order[..], ended.unwrap_err().kind()),
            (&b"order"[..], ErrorKind::ConnectionReset)
        );
    });
}

/// Before Linux 6.9 the server's `shutdown` changes the state without an ACK.
pub(super) fn a_shut_down_connection_still_waits_for_the_ack() {
    each_way(|driver, family| {
        let lab = lab(&Scenario::new("shut down").with_host(HostSpec::raw("peer")));
        let (stream, mut half_open, mut peer) = unconfirmed_by_a_raw_peer(&lab, family);
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(!Arrival::of(&stream).unwrap().confirmed);
        let result = thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(driver, &stream).0);
            thread::sleep(Duration::from_millis(300));
            assert!(!waiting.is_finished(), "nothing has confirmed it yet");
            peer.send(&half_open.segment()).unwrap();
            let ours = half_open.segment().source();
            let fin = peer.receive_that(LONG, |segment| segment.flags.fin && segment.destination == ours);
            assert!(half_open.count(&fin.unwrap().expect("a FIN").segment()));
            peer.send(&half_open.segment()).unwrap();
            waiting.join().unwrap()
        });
        result.unwrap();
        assert!(Arrival::of(&stream).unwrap().confirmed);
    });
}

pub(super) fn the_wait_has_a_limit() {
    const LIMIT: Duration = Duration::from_millis(300);
    for family in [0, 1] {
        let lab = lab(&Scenario::new("limit").with_host(HostSpec::raw("peer")));
        let (stream, half_open, peer) = unconfirmed_by_a_raw_peer(&lab, family);
        for limit in [Duration::ZERO, Duration::from_nanos(1), LIMIT] {
            let began = Instant::now();
            let error = confirmed_within(&stream, limit).expect_err("no ACK has come");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(began.elapsed() >= limit);
        }
        thread::scope(|scope| {
            let waiting = scope.spawn(|| confirmed_within(&stream, Duration::MAX));
            thread::sleep(LIMIT);
            peer.send(&half_open.segment()).unwrap();
            waiting.join().unwrap().unwrap();
        });
        confirmed_within(&stream, Duration::ZERO).unwrap();
    }
}

pub(super) fn an_ordinary_handshake_is_confirmed_at_once() {
    each_way(|driver, family| {
        let lab = lab(&Scenario::new("ordinary"));
        let (listener, address) = listener_with_a_cookie(&lab, family);
        let _stream = lab.client().unwrap().run(|| TcpStream::connect(address)).unwrap();
        let (stream, _) = listener.accept().unwrap();
        wait(driver, &stream).0.unwrap();
    });
}

pub(super) fn only_the_servers_end_can_be_confirmed() {
    let lab = lab(&Scenario::new("loopback"));
    lab.client().unwrap().run(|| {
        let listener = TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).unwrap();
        assert_eq!(confirmed(&listener).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(confirmed(&UdpSocket::bind("127.0.0.1:0").unwrap()).is_err());
    });
}
