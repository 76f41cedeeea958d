//! tokio: streams that others read and write meanwhile, and the tasks that wait.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use fastopen::for_tokio::{Confirmation, Peer};
use fastopen::{Outcome, ReplaySafe};
use fastopen_lab::{HostSpec, Moment, Rule, Scenario, SegmentKind};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{RTT, held, listener_with_a_cookie, unconfirmed_by_a_raw_peer};
use crate::support::{LONG, bytes, connector, lab, runtime};

/// The client sees the end of the stream though the `Peer` is kept and nobody asks it.
pub(super) fn a_kept_peer_does_not_keep_the_connection_open() {
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

pub(super) fn a_peer_has_a_task_only_while_there_is_something_to_wait_for() {
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

/// The server's stream is split among two tasks that both wait all the time, while the confirmation is outstanding and after it.
pub(super) fn readers_and_writers_are_not_disturbed() {
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

/// tokio would panic.
pub(super) fn a_blocking_socket_is_refused() {
    let lab = lab(&Scenario::new("held").with_rtt(RTT));
    let (stream, _client) = held(&lab, 0);
    let error = runtime()
        .block_on(async { Confirmation::new(&stream).map(|_| ()) })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
