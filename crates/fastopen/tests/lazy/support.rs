//! A lab with a server that echoes and tells, and a client with a cookie.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fastopen::for_tokio::LazyStream;
use fastopen::{Connector, PathMemory};
use fastopen_lab::{Lab, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::in_host::runtime_in;

/// Longer than anything that works takes, on a busy machine too.
pub(crate) const LONG: Duration = Duration::from_secs(20);
pub(crate) const RTT: Duration = Duration::from_millis(60);

pub(crate) struct Path {
    pub(crate) lab: Lab,
    pub(crate) address: SocketAddr,
    pub(crate) served: Receiver<Vec<u8>>,
    _serving: Runtime,
}

impl Path {
    /// That path, with an echo at its end and the client's cookie for it.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self::serving(scenario, echo)
    }

    pub(crate) fn serving<F: Future<Output = ()> + Send + 'static>(
        scenario: &Scenario,
        serve: impl Fn(TcpStream, Sender<Vec<u8>>) -> F + Send + 'static,
    ) -> Self {
        let lab = Lab::new(&scenario.clone().with_rtt(RTT)).unwrap();
        let server = lab.server().unwrap();
        let address = SocketAddr::new(server.ipv4().into(), 80);
        let serving = runtime_in(server);
        let (tell, served) = channel();
        let listening = serving.spawn(async move { fastopen::for_tokio::listen(address).await });
        let listener: TcpListener = serving.block_on(listening).unwrap().unwrap();
        serving.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                tokio::spawn(serve(stream, tell.clone()));
            }
        });
        let path = Self {
            lab,
            address,
            served,
            _serving: serving,
        };
        path.run(async move {
            let patient = connector().with_delay(LONG);
            let mut stream = LazyStream::replay_safe(patient, address);
            stream.write_all(b"cookie, please").await.unwrap();
            assert_eq!(
                stream.report().outcome(),
                Some(fastopen::Outcome::NoCookie),
                "there was none before"
            );
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        while path.served.try_recv().is_ok() {}
        path
    }

    /// Runs it in the client, for so long at most.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = runtime_in(self.lab.client().unwrap());
        let work = runtime.spawn(async move { timeout(LONG, work).await.expect("it hangs") });
        runtime.block_on(work).unwrap()
    }

    pub(crate) fn stream(&self) -> LazyStream {
        LazyStream::replay_safe(connector(), self.address)
    }

    /// What the server read on the next connection that ended.
    pub(crate) fn served(&self) -> Vec<u8> {
        self.served
            .recv_timeout(LONG)
            .expect("the server saw the connection")
    }
}

/// Reads to the end, and answers with what it read.
pub(crate) async fn echo(mut stream: TcpStream, tell: Sender<Vec<u8>>) {
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await;
    let _ = stream.write_all(&received).await;
    let _ = tell.send(received);
}

/// A connector that knows nothing of other tests' paths.
pub(crate) fn connector() -> Connector {
    Connector::new()
        .with_path_memory(PathMemory::default())
        .with_timeout(LONG)
}

/// Ends the client's side, and reads the answer to its end.
pub(crate) async fn finish(stream: &mut LazyStream) -> io::Result<Vec<u8>> {
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Bytes that differ from place to place, so that a repetition or a gap shows.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect()
}
