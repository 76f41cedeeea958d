//! The first write, and what else may come first.

use std::io::IoSlice;
use std::time::Instant;

use fastopen::for_tokio::LazyStream;
use fastopen::{Outcome, Reason, Syn};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Path, RTT, bytes, connector, finish};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "writing::the_first_write_is_in_the_syn",
            the_first_write_is_in_the_syn,
        ),
        test(
            "writing::vectored_writes_are_gathered",
            vectored_writes_are_gathered,
        ),
        test(
            "writing::every_length_over_every_path",
            every_length_over_every_path,
        ),
        test(
            "writing::what_may_not_be_replayed_waits",
            what_may_not_be_replayed_waits,
        ),
        test(
            "writing::a_server_that_speaks_first_is_read",
            a_server_that_speaks_first_is_read,
        ),
        test("writing::a_flush_connects", a_flush_connects),
        test(
            "writing::a_client_may_half_close_at_once",
            a_client_may_half_close_at_once,
        ),
        test(
            "writing::the_plain_stream_can_be_taken_out",
            the_plain_stream_can_be_taken_out,
        ),
    ]
    .into_iter()
}

fn the_first_write_is_in_the_syn() {
    let path = Path::new(&Scenario::new("clean"));
    let mut stream = path.stream();
    path.run(async move {
        assert!(stream.get_ref().is_none(), "nothing happens before");
        let report = stream.report().clone();
        assert_eq!((report.outcome(), report.attempts().len()), (None, 0));
        let began = Instant::now();
        stream.write_all(b"GET /").await.unwrap();
        assert_eq!(report.outcome(), Some(Outcome::Accepted));
        assert_eq!(report.attempts()[0].syn, Syn::Fast { bytes: 5 });
        stream.shutdown().await.unwrap();
        stream.read_u8().await.unwrap();
        assert!(began.elapsed() < RTT * 5 / 2, "{:?}", began.elapsed());
        assert!(stream.get_ref().is_some());
    });
    assert_eq!(path.served(), b"GET /");
}

fn vectored_writes_are_gathered() {
    let path = Path::new(&Scenario::new("clean"));
    let mut stream = path.stream();
    path.run(async move {
        let pieces = [&b""[..], b"GET ", b"", b"/"].map(IoSlice::new);
        assert_eq!(stream.write_vectored(&pieces).await.unwrap(), 5);
        assert_eq!(stream.report().attempts()[0].syn, Syn::Fast { bytes: 5 });
        assert_eq!(finish(&mut stream).await.unwrap(), b"GET /");
    });
    assert_eq!(path.served(), b"GET /");
}

fn every_length_over_every_path() {
    std::thread::scope(|scope| {
        for scenario in Scenario::all().filter(Scenario::lets_connections_complete) {
            scope.spawn(move || {
                let path = Path::new(&scenario);
                for len in [0, 1, 1420, 1421, LazyStream::FIRST_FLIGHT + 1, 300_000] {
                    let mut stream = path.stream();
                    let answer = path.run(async move {
                        stream.write_all(&bytes(len)).await.unwrap();
                        finish(&mut stream).await.unwrap()
                    });
                    assert!(answer == bytes(len), "{}: {len} bytes", scenario.name);
                }
            });
        }
    });
}

fn what_may_not_be_replayed_waits() {
    let path = Path::new(&Scenario::new("clean"));
    let mut stream = LazyStream::judged(connector(), path.address, |bytes| !bytes.starts_with(b"POST"));
    path.run(async move {
        stream.write_all(b"POST /").await.unwrap();
        assert_eq!(
            stream.report().outcome(),
            Some(Outcome::NotAttempted(Reason::Dataless))
        );
        assert_eq!(stream.report().attempts()[0].syn, Syn::Plain);
        assert_eq!(finish(&mut stream).await.unwrap(), b"POST /");
    });
    assert_eq!(path.served(), b"POST /");
}

fn a_server_that_speaks_first_is_read() {
    let path = Path::serving(&Scenario::new("clean"), |mut stream, tell| async move {
        stream.write_all(b"220 ready\r\n").await.unwrap();
        let mut hello = [0; 4];
        let _ = stream.read_exact(&mut hello).await;
        let _ = tell.send(hello.to_vec());
    });
    let mut stream = path.stream();
    path.run(async move {
        let mut banner = [0; 11];
        stream.read_exact(&mut banner).await.unwrap();
        assert_eq!(&banner, b"220 ready\r\n");
        assert_eq!(stream.report().outcome(), Some(Outcome::Accepted));
        assert_eq!(stream.report().attempts()[0].syn, Syn::Fast { bytes: 0 });
        stream.write_all(b"EHLO").await.unwrap();
    });
    assert_eq!(path.served(), b"EHLO");
}

fn a_flush_connects() {
    let path = Path::new(&Scenario::new("clean"));
    let mut stream = path.stream();
    path.run(async move {
        stream.flush().await.unwrap();
        assert!(stream.get_ref().is_some());
        stream.write_all(b"GET /").await.unwrap();
        assert_eq!(finish(&mut stream).await.unwrap(), b"GET /");
    });
    assert_eq!(path.served(), b"GET /");
}

fn a_client_may_half_close_at_once() {
    let path = Path::new(&Scenario::new("clean"));
    let mut stream = path.stream();
    assert_eq!(path.run(async move { finish(&mut stream).await.unwrap() }), b"");
    assert_eq!(path.served(), b"");
}

fn the_plain_stream_can_be_taken_out() {
    let path = Path::new(&Scenario::new("clean"));
    let (written, unwritten) = (path.stream(), path.stream());
    let address = path.address;
    path.run(async move {
        for (mut stream, sent) in [(written, &b"GET /"[..]), (unwritten, b"")] {
            stream.write_all(sent).await.unwrap();
            let mut stream = stream.into_tcp_stream().await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, sent);
        }
    });
}
