//! Servers that answer and close before they have read the request: the answer reaches the caller as often as it does with plain TCP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fastopen::for_tokio::LazyStream;
use fastopen::{Connector, ListenOptions, Outcome, ReplaySafe};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Host, Lab, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{LONG, at, connector, runtime};

const ANSWER: &[u8] =
    b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge";
/// More than a SYN holds; more than one segment behind it; more than a first flight.
const SIZES: [usize; 3] = [3_000, 8_000, 100_000];
const WORKERS: usize = 8;

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("early_answers::as_many_as_std", as_many_as_std),
        #[cfg(feature = "hyper")]
        test(
            "early_answers::as_many_as_hyper_util",
            over_http::as_many_as_hyper_util,
        ),
    ]
    .into_iter()
}

/// How many connections there are to each size and way. A thousand show the same: `FASTOPEN_CONNECTIONS=1000`.
fn connections() -> usize {
    let set = std::env::var("FASTOPEN_CONNECTIONS").ok();
    set.map_or(160, |n| n.parse().expect("FASTOPEN_CONNECTIONS is a number"))
}

struct Path {
    lab: Lab,
    address: SocketAddr,
}

impl Path {
    fn new() -> Self {
        let lab = Lab::new(&Scenario::new("early answers").with_rtt(Duration::from_millis(2))).unwrap();
        let server = lab.server().unwrap();
        let listener = server
            .run(|| ListenOptions::new().listen(("::", crate::support::PORT)))
            .unwrap()
            .listener;
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                thread::spawn(move || {
                    let _ = stream.read(&mut [0; 512]);
                    let _ = stream.write_all(ANSWER);
                    // Closing with unread data sends a reset behind the answer.
                });
            }
        });
        let address = at(server.ipv4());
        Self { lab, address }
    }

    fn client(&self) -> &Host {
        self.lab.client().unwrap()
    }

    /// How many of the connections got the whole answer.
    fn answers(&self, ask: impl Fn() -> Vec<u8> + Sync) -> usize {
        let left = AtomicUsize::new(connections());
        let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|_| {
                    scope.spawn(|| {
                        self.client().run(|| {
                            let asked = std::iter::from_fn(|| take().ok());
                            asked.filter(|_| ask().ends_with(b"large")).count()
                        })
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        })
    }
}

fn as_many_as_std() {
    let path = Path::new();
    let address = path.address;
    // Whatever is dropped here is not the path's doing.
    let connector = &connector().with_path_memory(fastopen::PathMemory::new(0));
    let accepted = &AtomicUsize::new(0);
    let count = |outcome| {
        accepted.fetch_add(usize::from(outcome == Outcome::Accepted), Ordering::Relaxed);
    };
    for size in SIZES {
        let request = &vec![b'x'; size];
        let std = path.answers(|| {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(request);
            read(stream)
        });
        let blocking = path.answers(|| {
            let connected = connector.connect(address, ReplaySafe(request)).unwrap();
            count(connected.outcome);
            read(connected.stream)
        });
        let tokio = path.answers(|| {
            runtime().block_on(async {
                let connected = connector
                    .connect_tokio(address, ReplaySafe(request))
                    .await
                    .unwrap();
                count(connected.outcome);
                read_tokio(connected.stream).await
            })
        });
        let lazy = path.answers(|| runtime().block_on(ask_lazily(connector.clone(), address, request)));
        assert_eq!(
            [blocking, tokio, lazy].map(|answers| answers >= std),
            [true; 3],
            "{size} bytes, answers of {}: std {std}, blocking {blocking}, tokio {tokio}, lazy {lazy}",
            connections()
        );
    }
    assert!(
        accepted.load(Ordering::Relaxed) > connections(),
        "the requests were fast"
    );
}

fn read(mut stream: TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

async fn read_tokio(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await;
    answer
}

async fn ask_lazily(connector: Connector, address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = LazyStream::replay_safe(connector, address);
    let _ = stream.write_all(request).await;
    read_tokio(stream).await
}

#[cfg(feature = "hyper")]
mod over_http {
    use fastopen::for_hyper::HttpConnector;
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::{Connect, HttpConnector as Plain};
    use hyper_util::rt::TokioExecutor;

    use super::*;

    pub(crate) fn as_many_as_hyper_util() {
        let path = Path::new();
        let connector = connector().with_path_memory(fastopen::PathMemory::new(0));
        let fast = HttpConnector::new()
            .with_connector(connector)
            .with_replay_safe_requests();
        for size in SIZES {
            let plain = path.answers(|| runtime().block_on(ask(Plain::new(), path.address, size)));
            let fast = path.answers(|| runtime().block_on(ask(fast.clone(), path.address, size)));
            assert!(
                fast >= plain,
                "{size} bytes, answers of {}: hyper-util {plain}, fastopen {fast}",
                connections()
            );
        }
    }

    /// Asks with a head that is longer than the server reads.
    async fn ask(
        connector: impl Connect + Clone + Send + Sync + 'static,
        address: SocketAddr,
        size: usize,
    ) -> Vec<u8> {
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
        let request = http::Request::get(format!("http://{address}/"))
            .header("X-Long", "x".repeat(size))
            .body(String::new())
            .unwrap();
        match tokio::time::timeout(LONG, client.request(request)).await.unwrap() {
            Ok(response) if response.status() == 413 => b"large".to_vec(),
            _ => Vec::new(),
        }
    }
}
