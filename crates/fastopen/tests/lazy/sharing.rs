//! A reader and a writer in two tasks.

use std::future::{Future, poll_fn};
use std::pin::pin;

use fastopen::Outcome;
use fastopen::for_tokio::LazyStream;
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::support::{LONG, Path, RTT, bytes, connector};

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
    let stream = patient(&path);
    let report = stream.report().clone();
    path.run(async move {
        let (mut reader, mut writer) = split(stream);
        let read = async move {
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer).await.unwrap();
            answer
        };
        let write = async move {
            writer.write_all(&bytes(LEN)).await.unwrap();
            writer.shutdown().await.unwrap();
            writer
        };
        let (tell, begun) = oneshot::channel();
        let (writing, reading) = match order {
            Order::WriterFirst => {
                let writing = tokio::spawn(telling(tell, write));
                begun.await.unwrap();
                (writing, tokio::spawn(read))
            }
            Order::ReaderFirst => {
                let reading = tokio::spawn(telling(tell, read));
                begun.await.unwrap();
                (tokio::spawn(write), reading)
            }
        };
        writing.await.unwrap();
        assert!(reading.await.unwrap() == bytes(LEN));
    });
    assert!(path.served() == bytes(LEN));
    let fast = report.outcome() == Some(Outcome::Accepted);
    assert_eq!(fast, order == Order::WriterFirst, "{:?}", report.outcome());
}

/// A stream that never tries a second attempt: on a busy machine the server would tell of both.
fn patient(path: &Path) -> LazyStream {
    LazyStream::replay_safe(connector().with_delay(LONG), path.address)
}

/// Does it, and tells when it was polled for the first time.
async fn telling<F: Future>(tell: oneshot::Sender<()>, work: F) -> F::Output {
    let mut tell = Some(tell);
    let mut work = pin!(work);
    poll_fn(move |context| {
        let polled = work.as_mut().poll(context);
        if let Some(tell) = tell.take() {
            let _ = tell.send(());
        }
        polled
    })
    .await
}

/// The one that polled last is the one that goes away.
fn one_that_goes_away_does_not_hold_the_other() {
    let path = Path::new(&Scenario::new("clean"));
    let stream = patient(&path);
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
