//! What the tests in a lab share: a server that tells what it saw, and both ways to connect.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use fastopen::{Arrival, ConnectError, Connected, Connector, ListenOptions, Outcome, PathMemory, ReplaySafe};
use fastopen_host::KernelVersion;
use fastopen_lab::{Host, Lab, Scenario};

pub(crate) const PORT: u16 = 80;
/// Longer than anything that works takes, on a busy machine too.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A connection as the server's application saw it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) peer: SocketAddr,
    pub(crate) arrival: Arrival,
    /// All that came before the client's end of stream, or before the connection broke.
    pub(crate) received: Vec<u8>,
}

/// Answers every connection with what it sends.
pub(crate) fn echo(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let _ = io::copy(&mut &stream, &mut &stream);
        }
    });
}

/// Serves in that host: reads each connection to its end, answers with what it received, and tells.
pub(crate) fn serve(host: &Host, options: &ListenOptions) -> Receiver<Served> {
    let listening = host.run(|| {
        options
            .listen(("::", PORT))
            .or_else(|_| options.listen(("0.0.0.0", PORT)))
    });
    let listener = listening.unwrap().listener;
    let (tell, served) = channel();
    thread::spawn(move || {
        while let Ok((stream, peer)) = listener.accept() {
            let tell = tell.clone();
            thread::spawn(move || {
                let arrival = Arrival::of(&stream).unwrap();
                let mut received = Vec::new();
                let _ = (&stream).read_to_end(&mut received);
                let _ = (&stream).write_all(&received);
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                let _ = tell.send(Served {
                    peer,
                    arrival,
                    received,
                });
            });
        }
    });
    served
}

/// The connection that came from that port; others are left out.
pub(crate) fn served_from(served: &Receiver<Served>, port: u16) -> Served {
    loop {
        let served = served.recv_timeout(LONG).expect("the server saw the connection");
        if served.peer.port() == port {
            return served;
        }
    }
}

/// What a connection from the client comes to, and how it arrived.
pub(crate) fn connect_to(lab: &Lab, served: &Receiver<Served>, address: SocketAddr) -> (Outcome, Arrival) {
    let patient = connector().with_delay(LONG);
    let connected = lab
        .client()
        .unwrap()
        .run(|| patient.connect(address, ReplaySafe("GET /")))
        .unwrap();
    assert_eq!(finish(&connected.stream).unwrap(), b"GET /");
    let port = connected.stream.local_addr().unwrap().port();
    (connected.outcome, served_from(served, port).arrival)
}

/// Blocking or tokio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Driver {
    Blocking,
    Tokio,
}

impl Driver {
    pub(crate) const ALL: [Self; 2] = [Self::Blocking, Self::Tokio];

    /// Connects from that host. The stream of either driver comes back as a blocking one.
    pub(crate) fn connect(
        self,
        host: &Host,
        connector: &Connector,
        address: SocketAddr,
        first_bytes: &[u8],
    ) -> Result<Connected<TcpStream>, ConnectError> {
        host.run(|| match self {
            Self::Blocking => connector.connect(address, ReplaySafe(first_bytes)),
            Self::Tokio => runtime().block_on(async {
                let connected = connector.connect_tokio(address, ReplaySafe(first_bytes)).await?;
                Ok(connected.map(blocking))
            }),
        })
    }
}

/// Over IPv4 and IPv6, blocking and with tokio, all at once; where they share a processor one after the other, since one that sends much
/// would hold up the others' answers. The number is that of the address in [`Host::addresses`].
pub(crate) fn each_way(f: impl Fn(Driver, usize) + Sync) {
    let one_processor = thread::available_parallelism().is_ok_and(|processors| processors.get() == 1);
    thread::scope(|scope| {
        for driver in Driver::ALL {
            for family in [0, 1] {
                let f = &f;
                let way = scope.spawn(move || f(driver, family));
                if one_processor {
                    way.join().unwrap();
                }
            }
        }
    });
}

/// A lab, and one way to connect in it.
pub(crate) struct Path {
    pub(crate) lab: Lab,
    pub(crate) driver: Driver,
    pub(crate) address: SocketAddr,
}

/// Each way in a lab of its own, in which the client has a cookie, and its kernel what it learnt from the connection that got it.
pub(crate) fn each_way_with_a_cookie(scenario: &Scenario, f: impl Fn(&Path) + Sync) {
    each_way(|driver, family| {
        let lab = lab(scenario);
        let server = lab.server().unwrap();
        let address = at(server.addresses()[family]);
        let _served = serve(server, &ListenOptions::new());
        get_cookie(lab.client().unwrap(), address);
        f(&Path { lab, driver, address });
    });
}

pub(crate) fn blocking(stream: tokio::net::TcpStream) -> TcpStream {
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A connector that knows nothing of other tests' paths.
pub(crate) fn connector() -> Connector {
    Connector::new()
        .with_path_memory(PathMemory::default())
        .with_timeout(LONG)
}

pub(crate) fn lab(scenario: &Scenario) -> Lab {
    Lab::new(scenario).unwrap()
}

/// Ends the client's side, and reads the answer to its end.
pub(crate) fn finish(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(LONG))?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// Gets a cookie for that address, so that the next connection is fast.
pub(crate) fn get_cookie(client: &Host, address: SocketAddr) {
    let patient = connector().with_delay(LONG);
    let connected = client
        .run(|| patient.connect(address, ReplaySafe("cookie, please")))
        .unwrap();
    assert_eq!(connected.outcome, fastopen::Outcome::NoCookie);
    assert_eq!(finish(&connected.stream).unwrap(), b"cookie, please");
}

pub(crate) fn at(ip: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(ip.into(), PORT)
}

/// Whether the kernel sends a SYN again at once that ICMP says was too large for a hop. Before Linux 5.11 it waits for its timer, and
/// nothing tells that from a lost one.
///
/// Source: `net/ipv4/tcp_input.c`, `tcp_simple_retransmit`.
pub(crate) fn large_syns_are_sent_again() -> bool {
    KernelVersion::running().unwrap() >= KernelVersion::new(5, 11, 0)
}

/// Bytes that differ from place to place, so that a repetition or a gap shows.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect()
}
