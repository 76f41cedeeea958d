//! Connections that die after their handshake, and those that only seem to.

use std::time::Duration;

use fastopen::for_tokio::LazyStream;
use fastopen::{Connector, Outcome, PathMemory, Reason};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::support::{Path, bytes, connector, finish};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("dying::silence_is_told_to_the_memory", || is_told(5, true)),
        test("dying::what_is_sent_again_in_vain_is_told", || {
            is_told(5000, false);
        }),
        test("dying::a_slow_server_is_not_dead", a_slow_server_is_not_dead),
        test(
            "dying::who_did_not_wait_has_shown_nothing",
            who_did_not_wait_has_shown_nothing,
        ),
    ]
    .into_iter()
}

const BY_MEMORY: Option<Outcome> = Some(Outcome::NotAttempted(Reason::PathMemory));

fn remembering() -> (PathMemory, Connector) {
    let memory = PathMemory::default();
    (memory.clone(), connector().with_path_memory(memory))
}

/// Whoever gives up, having waited for an answer or only written, leaves a plain path behind. The next connection gets its answer.
fn is_told(len: usize, reads: bool) {
    let path = Path::new(&Scenario::named("blackhole").unwrap());
    let (memory, connector) = remembering();
    let address = path.address;
    let [mut dying, mut next] =
        [&connector, &connector].map(|connector| LazyStream::replay_safe(connector.clone(), address));
    path.run(async move {
        let report = dying.report().clone();
        dying.write_all(&bytes(len)).await.unwrap();
        assert_eq!(report.outcome(), Some(Outcome::Accepted));
        let waiting = async {
            match reads {
                true => drop(dying.read_u8().await),
                false => sleep(Duration::from_secs(60)).await,
            }
        };
        let patience = Duration::from_millis(if reads { 1000 } else { 2000 });
        timeout(patience, waiting).await.expect_err("nothing is received");
        drop(dying);
        assert_eq!(
            report.outcome(),
            Some(Outcome::Accepted),
            "it stays what the handshake proved"
        );

        next.write_all(b"GET /").await.unwrap();
        assert_eq!(next.report().outcome(), BY_MEMORY);
        assert_eq!(finish(&mut next).await.unwrap(), b"GET /");
    });
    assert!(memory.plain_until(address.ip()).is_some());
}

fn a_slow_server_is_not_dead() {
    let path = Path::serving(&Scenario::new("slow"), |mut stream, tell| async move {
        let mut request = [0; 5];
        let _ = stream.read_exact(&mut request).await;
        sleep(Duration::from_millis(1500)).await;
        let _ = stream.write_all(b"!").await;
        let _ = tell.send(request.to_vec());
    });
    let (memory, connector) = remembering();
    let mut stream = LazyStream::replay_safe(connector, path.address);
    path.run(async move {
        stream.write_all(b"GET /").await.unwrap();
        assert_eq!(stream.report().outcome(), Some(Outcome::Accepted));
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
    });
    assert_eq!(memory.plain_until(path.address.ip()), None);
}

fn who_did_not_wait_has_shown_nothing() {
    let path = Path::new(&Scenario::named("blackhole").unwrap());
    let (memory, connector) = remembering();
    let address = path.address;
    path.run(async move {
        for waits in [None, Some(Duration::from_millis(100))] {
            let mut stream = LazyStream::replay_safe(connector.clone(), address);
            stream.write_all(b"GET /").await.unwrap();
            if let Some(patience) = waits {
                timeout(patience, stream.read_u8())
                    .await
                    .expect_err("nothing is received");
            }
            drop(stream);
        }
    });
    assert_eq!(memory.plain_until(address.ip()), None);
}
