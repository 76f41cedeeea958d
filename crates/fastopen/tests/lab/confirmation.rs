//! Waiting for the client's proof: what completes it, what ends it, and that nobody else is disturbed.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use fastopen::for_tokio::{Confirmation, Peer};
use fastopen::{
    Arrival, ArrivalKind, FastOpen, ListenOptions, Outcome, ReplaySafe, confirmed, confirmed_within,
};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{HostSpec, Lab, Moment, RawConnection, RawPeer, Rule, Scenario, SegmentKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Driver, LONG, PORT, at, bytes, connector, get_cookie, lab, runtime};

const RTT: Duration = Duration::from_millis(100);

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "confirmation::a_replayed_syn_never_confirms",
            a_replayed_syn_never_confirms,
        ),
        test("confirmation::a_late_ack_confirms", || {
            a_late_ack_confirms(Buffer::Free);
        }),
        test(
            "confirmation::a_late_ack_confirms_with_a_full_send_buffer",
            || a_late_ack_confirms(Buffer::Full),
        ),
        test(
            "confirmation::an_ack_confirms_while_the_send_buffer_stays_full",
            an_ack_confirms_while_the_send_buffer_stays_full,
        ),
        test("confirmation::a_reset_ends_it", a_reset_ends_it),
        test(
            "confirmation::a_shut_down_connection_still_waits_for_the_ack",
            a_shut_down_connection_still_waits_for_the_ack,
        ),
        test("confirmation::the_wait_has_a_limit", the_wait_has_a_limit),
        test(
            "confirmation::a_kept_peer_does_not_keep_the_connection_open",
            a_kept_peer_does_not_keep_the_connection_open,
        ),
        test(
            "confirmation::a_peer_has_a_task_only_while_there_is_something_to_wait_for",
            a_peer_has_a_task_only_while_there_is_something_to_wait_for,
        ),
        test(
            "confirmation::an_ordinary_handshake_is_confirmed_at_once",
            an_ordinary_handshake_is_confirmed_at_once,
        ),
        test(
            "confirmation::readers_and_writers_are_not_disturbed",
            readers_and_writers_are_not_disturbed,
        ),
        test(
            "confirmation::only_the_servers_end_can_be_confirmed",
            only_the_servers_end_can_be_confirmed,
        ),
        test(
            "confirmation::a_blocking_socket_is_refused",
            a_blocking_socket_is_refused,
        ),
    ]
    .into_iter()
}

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

fn each_way(f: impl Fn(Driver, usize) + Sync) {
    thread::scope(|scope| {
        for driver in Driver::ALL {
            for family in [0, 1] {
                let f = &f;
                scope.spawn(move || f(driver, family));
            }
        }
    });
}

/// A listener in the server, and the client's cookie for it.
fn listener_with_a_cookie(lab: &Lab, family: usize) -> (TcpListener, SocketAddr) {
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let address = at(server.addresses()[family]);
    let options = ListenOptions::new().with_handshake_timeout(Duration::from_secs(3));
    let listener = server.run(|| options.listen(("::", PORT))).unwrap().listener;
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut first, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            first
                .read_to_end(&mut request)
                .and_then(|_| first.write_all(&request))
                .unwrap();
        });
        get_cookie(client, address);
    });
    (listener, address)
}

fn a_replayed_syn_never_confirms() {
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
enum Buffer {
    Free,
    Full,
}

fn a_late_ack_confirms(buffer: Buffer) {
    each_way(|driver, family| {
        let scenario = Scenario::new("held").with_rtt(RTT);
        let lab = lab(&scenario);
        let (listener, address) = listener_with_a_cookie(&lab, family);
        lab.set_rules([Rule::hold(Moment::Released)
            .from("client")
            .on(SegmentKind::HandshakeAck)])
            .unwrap();
        let _connected = lab
            .client()
            .unwrap()
            .run(|| connector().connect(address, ReplaySafe("order")))
            .unwrap();
        let (stream, _) = listener.accept().unwrap();
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
fn an_ack_confirms_while_the_send_buffer_stays_full() {
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

/// An accepted connection whose client is a raw peer that has sent its SYN with a cookie and data, and nothing after it.
fn unconfirmed_by_a_raw_peer(lab: &Lab, family: usize) -> (TcpStream, RawConnection, RawPeer) {
    let server = lab.server().unwrap();
    let listener = server.run(|| fastopen::listen(("::", PORT))).unwrap();
    let target = at(server.addresses()[family]);
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let request = peer.connect(&peer.syn(target).with_fast_open(&[]), LONG).unwrap();
    let FastOpen::Cookie(_, cookie) = request.fast_open() else {
        panic!("no cookie")
    };
    listener.accept().unwrap();
    let syn = peer
        .syn(target)
        .with_fast_open(cookie.as_bytes())
        .with_data("order");
    peer.send(&syn).unwrap();
    let half_open = peer.half_open(&syn, LONG).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (stream, half_open, peer)
}

fn a_reset_ends_it() {
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
fn a_shut_down_connection_still_waits_for_the_ack() {
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

fn the_wait_has_a_limit() {
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

/// The client sees the end of the stream though the `Peer` is kept and nobody asks it.
fn a_kept_peer_does_not_keep_the_connection_open() {
    for family in [0, 1] {
        let lab = lab(&Scenario::new("kept").with_rtt(RTT));
        let (listener, address) = listener_with_a_cookie(&lab, family);
        let client = lab.client().unwrap().spawn(move || {
            let connected = connector().connect(address, ReplaySafe("order")).unwrap();
            assert_eq!(connected.outcome, Outcome::Accepted);
            let mut stream = connected.stream;
            stream.set_read_timeout(Some(LONG)).unwrap();
            stream.read(&mut [0]).expect("the end of the stream")
        });
        let (stream, address) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        runtime().block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let peer = Peer::of(&stream, address);
            assert!(!peer.arrival().unwrap().confirmed, "the ACK takes {RTT:?}");
            stream.readable().await.unwrap();
            assert_eq!(stream.try_read(&mut [0; 10]).unwrap(), 5);
            drop(stream);
            let seen = tokio::task::spawn_blocking(|| client.join().unwrap());
            assert_eq!(seen.await.unwrap(), 0);
            peer.confirmed().await.unwrap();
        });
    }
}

fn a_peer_has_a_task_only_while_there_is_something_to_wait_for() {
    let lab = lab(&Scenario::new("tasks").with_host(HostSpec::raw("peer")));
    let (stream, half_open, peer) = unconfirmed_by_a_raw_peer(&lab, 0);
    stream.set_nonblocking(true).unwrap();
    let address = stream.peer_addr().unwrap();
    let ordinary = lab.server().unwrap().run(|| {
        let listener = fastopen::listen("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, client)
    });
    ordinary.0.set_nonblocking(true).unwrap();
    let runtime = runtime();
    let tasks = || runtime.metrics().num_alive_tasks();
    let until_no_task_is_left = async || {
        while tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    runtime.block_on(async {
        let confirmed = Peer::of(&ordinary.0, address);
        assert_eq!(tasks(), 0, "an ordinary connection is confirmed");
        confirmed.confirmed().await.unwrap();

        let dropped = Peer::of(&stream, address);
        let clone = dropped.clone();
        drop(dropped);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(tasks(), 1, "the clone is the same connection");
        drop(clone);
        until_no_task_is_left().await;

        let kept = Peer::of(&stream, address);
        assert_eq!(tasks(), 1);
        peer.send(&half_open.segment()).unwrap();
        until_no_task_is_left().await;
        kept.confirmed().await.unwrap();
    });
}

fn an_ordinary_handshake_is_confirmed_at_once() {
    each_way(|driver, family| {
        let lab = lab(&Scenario::new("ordinary"));
        let (listener, address) = listener_with_a_cookie(&lab, family);
        let _stream = lab.client().unwrap().run(|| TcpStream::connect(address)).unwrap();
        let (stream, _) = listener.accept().unwrap();
        wait(driver, &stream).0.unwrap();
    });
}

/// The server's stream is split among two tasks that both wait all the time, while the confirmation is outstanding and after it.
fn readers_and_writers_are_not_disturbed() {
    const LEN: usize = 300_000;
    for family in [0, 1] {
        let lab = lab(&Scenario::new("held").with_rtt(Duration::from_millis(20)));
        let (listener, address) = listener_with_a_cookie(&lab, family);
        lab.set_rules([Rule::hold(Moment::After(RTT))
            .from("client")
            .on(SegmentKind::HandshakeAck)])
            .unwrap();
        let client = lab.client().unwrap().spawn(move || {
            let mut stream = connector()
                .connect(address, ReplaySafe(&bytes(LEN)[..1000]))
                .unwrap()
                .stream;
            let mut sender = stream.try_clone().unwrap();
            let sending = thread::spawn(move || sender.write_all(&bytes(LEN)[1000..]));
            let mut answer = vec![0; LEN];
            stream.read_exact(&mut answer).unwrap();
            sending.join().unwrap().unwrap();
            answer
        });
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (confirmed, received) = runtime().block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let confirmation = Confirmation::new(&stream).unwrap();
            let (mut reader, mut writer) = stream.into_split();
            let reading = tokio::spawn(async move {
                let mut received = vec![0; LEN];
                reader.read_exact(&mut received).await.map(|_| received)
            });
            let writing = tokio::spawn(async move {
                writer.write_all(&bytes(LEN)).await.unwrap();
                writer
            });
            let confirmed = tokio::time::timeout(LONG, confirmation)
                .await
                .expect("the ACK comes");
            let received = tokio::time::timeout(LONG, reading)
                .await
                .expect("nobody took the reader's events")
                .unwrap();
            let _writer = tokio::time::timeout(LONG, writing)
                .await
                .expect("nor the writer's")
                .unwrap();
            (confirmed, received.unwrap())
        });
        confirmed.unwrap();
        assert!(received == bytes(LEN));
        assert!(client.join().unwrap() == bytes(LEN));
    }
}

fn only_the_servers_end_can_be_confirmed() {
    let lab = lab(&Scenario::new("loopback"));
    lab.client().unwrap().run(|| {
        let listener = TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).unwrap();
        assert_eq!(confirmed(&listener).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(confirmed(&UdpSocket::bind("127.0.0.1:0").unwrap()).is_err());
    });
}

/// tokio would panic.
fn a_blocking_socket_is_refused() {
    let lab = lab(&Scenario::new("held").with_rtt(RTT));
    let (listener, address) = listener_with_a_cookie(&lab, 0);
    lab.set_rules([Rule::hold(Moment::Released)
        .from("client")
        .on(SegmentKind::HandshakeAck)])
        .unwrap();
    let _connected = lab
        .client()
        .unwrap()
        .run(|| connector().connect(address, ReplaySafe("order")))
        .unwrap();
    let (stream, _) = listener.accept().unwrap();
    let error = runtime()
        .block_on(async { Confirmation::new(&stream).map(|_| ()) })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
