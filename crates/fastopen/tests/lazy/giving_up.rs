//! Writes and streams that are given up on the way.

use std::time::Duration;

use fastopen::for_tokio::LazyStream;
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::time::{sleep, timeout};

use crate::in_host::{runtime_in, sockets};
use crate::support::{Path, RTT, connector, finish};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "giving_up::the_same_bytes_again_are_sent_once",
            the_same_bytes_again_are_sent_once,
        ),
        test("giving_up::other_bytes_begin_anew", other_bytes_begin_anew),
        test(
            "giving_up::other_bytes_are_refused_once_it_has_connected",
            other_bytes_are_refused_once_it_has_connected,
        ),
        test(
            "giving_up::a_dropped_stream_leaves_nothing",
            a_dropped_stream_leaves_nothing,
        ),
    ]
    .into_iter()
}

/// Gives the write up when its SYN is on the way, so soon that it can be done several times before the SYN-ACK comes.
async fn give_up(stream: &mut LazyStream, bytes: &[u8]) {
    timeout(RTT / 10, stream.write(bytes))
        .await
        .expect_err("no SYN-ACK can be there so soon");
}

fn the_same_bytes_again_are_sent_once() {
    let path = Path::new(&Scenario::new("clean"));
    let mut stream = path.stream();
    path.run(async move {
        for _ in 0..3 {
            give_up(&mut stream, b"GET /").await;
        }
        stream.write_all(b"GET / HTTP/1.1").await.unwrap();
        assert_eq!(stream.report().attempts().len(), 1);
        assert_eq!(finish(&mut stream).await.unwrap(), b"GET / HTTP/1.1");
    });
    assert_eq!(path.served(), b"GET / HTTP/1.1");
}

fn other_bytes_begin_anew() {
    for other in [&b"HEAD /"[..], b"GET"] {
        let path = Path::new(&Scenario::new("clean"));
        let mut stream = path.stream();
        path.run(async move {
            give_up(&mut stream, b"GET /").await;
            stream.write_all(other).await.unwrap();
            assert_eq!(finish(&mut stream).await.unwrap(), other);
        });
        let mut served = [path.served(), path.served()];
        served.sort_by_key(|bytes| bytes != other);
        assert_eq!(served, [other, b"GET /"], "each on a connection of its own");
    }
}

fn other_bytes_are_refused_once_it_has_connected() {
    let path = Path::serving(&Scenario::new("clean"), |mut stream, tell| async move {
        let mut first = [0; 5];
        let _ = stream.read_exact(&mut first).await;
        let _ = stream.write_all(b"hello").await;
        let mut received = first.to_vec();
        let _ = stream.read_to_end(&mut received).await;
        let _ = tell.send(received);
    });
    let mut stream = path.stream();
    path.run(async move {
        give_up(&mut stream, b"GET /").await;
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        let error = stream.write(b"HEAD /").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        stream.write_all(b"GET / HTTP").await.unwrap();
    });
    assert_eq!(path.served(), b"GET / HTTP");
}

fn a_dropped_stream_leaves_nothing() {
    let path = Path::new(&Scenario::new("clean"));
    path.lab
        .set_rules([fastopen_lab::Rule::drop().to("server")])
        .unwrap();
    let client = path.lab.client().unwrap();
    while sockets(client) > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let runtime = runtime_in(client);
    for after in [0, 1, 100, 400] {
        for reads in [false, true] {
            let address = path.address;
            let work = runtime.spawn(async move {
                let stream = LazyStream::replay_safe(connector(), address);
                let (mut reader, mut writer) = split(stream);
                let reading = async {
                    if reads {
                        let _ = reader.read_u8().await;
                    }
                };
                let writing = async {
                    let _ = writer.write(b"?").await;
                };
                tokio::select! {
                    _ = async { tokio::join!(reading, writing) } => panic!("nobody answers"),
                    () = sleep(Duration::from_millis(after)) => {}
                }
            });
            runtime.block_on(work).unwrap();
            assert_eq!(sockets(client), 0, "dropped after {after} ms, reading: {reads}");
        }
    }
}
