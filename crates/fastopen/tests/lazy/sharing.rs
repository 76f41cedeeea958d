//! A reader and a writer in two tasks.

use fastopen::Outcome;
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::time::sleep;

use crate::support::{Path, RTT, bytes};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("sharing::both_are_woken", || both_are_woken(Order::WriterFirst)),
        test("sharing::both_are_woken_when_the_reader_comes_first", || {
            both_are_woken(Order::ReaderFirst);
        }),
        test(
            "sharing::one_that_goes_away_does_not_hold_the_other",
            one_that_goes_away_does_not_hold_the_other,
        ),
    ]
    .into_iter()
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    WriterFirst,
    ReaderFirst,
}

fn both_are_woken(order: Order) {
    const LEN: usize = 100_000;
    let path = Path::new(&Scenario::new("clean"));
    let stream = path.stream();
    let report = stream.report().clone();
    path.run(async move {
        let (mut reader, mut writer) = split(stream);
        let reading = tokio::spawn(async move {
            if order == Order::WriterFirst {
                sleep(RTT / 3).await;
            }
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer).await.unwrap();
            answer
        });
        let writing = tokio::spawn(async move {
            if order == Order::ReaderFirst {
                sleep(RTT / 3).await;
            }
            writer.write_all(&bytes(LEN)).await.unwrap();
            writer.shutdown().await.unwrap();
            writer
        });
        writing.await.unwrap();
        assert!(reading.await.unwrap() == bytes(LEN));
    });
    assert!(path.served() == bytes(LEN));
    let fast = report.outcome() == Some(Outcome::Accepted);
    assert_eq!(fast, order == Order::WriterFirst, "{:?}", report.outcome());
}

/// The one that polled last is the one that goes away.
fn one_that_goes_away_does_not_hold_the_other() {
    let path = Path::new(&Scenario::new("clean"));
    let stream = path.stream();
    path.run(async move {
        let (mut reader, mut writer) = split(stream);
        let writing = tokio::spawn(async move {
            writer.write_all(b"GET /").await.unwrap();
            writer.shutdown().await.unwrap();
        });
        sleep(RTT / 4).await;
        let reading = tokio::spawn(async move {
            let _ = reader.read_u8().await;
        });
        sleep(RTT / 4).await;
        reading.abort();
        writing.await.unwrap();
    });
    assert_eq!(path.served(), b"GET /");
}
