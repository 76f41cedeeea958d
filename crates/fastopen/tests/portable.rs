//! What holds on every system, over the loopback interface: it needs no lab and nothing but the library's public functions.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastopen::{Arrival, Connected, Connector, Outcome, PathMemory, Policy, Reason, ReplaySafe, TcpInfo};
use socket2::{Domain, Socket, Type};

/// Whether this system, or this build of the library, has Fast Open.
const HAS_FAST_OPEN: bool = cfg!(all(
    any(
        target_os = "linux",
        target_os = "android",
        all(target_os = "macos", feature = "macos-unverified")
    ),
    not(fastopen_portable)
));

const ADDRESSES: &[&str] = &["127.0.0.1:0", "[::1]:0"];

/// A server that reads so many connections to their ends, one after the other, sends each all that it sent, and tells what that was. One
/// thread accepts them: of two that wait in accept() on one socket, Wine may tell the second WSAEWOULDBLOCK when the first is served.
fn echo(listener: TcpListener, connections: usize) -> JoinHandle<Vec<Vec<u8>>> {
    let echo_one = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        stream.write_all(&received).unwrap();
        received
    };
    thread::spawn(move || std::iter::repeat_with(echo_one).take(connections).collect())
}

/// A socket that keeps its port from everybody else and does not listen, and its address: who connects to it is refused.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn finish(mut stream: &TcpStream) -> Vec<u8> {
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// Through both drivers, as a std stream that blocks.
fn connect_both_ways(
    connector: &Connector,
    addresses: &[SocketAddr],
    first_bytes: &[u8],
    mut look: impl FnMut(Result<Connected<TcpStream>, io::Error>),
) {
    look(
        connector
            .connect(addresses, ReplaySafe(first_bytes))
            .map_err(Into::into),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connected = runtime.block_on(connector.connect_tokio(addresses, ReplaySafe(first_bytes)));
    look(connected.map_err(Into::into).map(|connected| {
        connected.map(|stream| {
            let stream = stream.into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            stream
        })
    }));
}

fn connector() -> Connector {
    Connector::new()
        .with_timeout(Duration::from_secs(20))
        .with_path_memory(PathMemory::new(100))
}

#[test]
fn the_first_bytes_arrive_once_whatever_their_number() {
    for address in ADDRESSES {
        for len in [0, 5, 300_000] {
            let first_bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let listener = fastopen::listen(address).unwrap();
            let to = [listener.local_addr().unwrap()];
            let server = echo(listener, 2);
            connect_both_ways(&connector(), &to, &first_bytes, |connected| {
                let connected = connected.unwrap();
                assert_eq!(finish(&connected.stream), first_bytes);
                if !HAS_FAST_OPEN && len > 0 {
                    assert_eq!(connected.outcome, Outcome::NotAttempted(Reason::Unsupported));
                }
            });
            assert_eq!(server.join().unwrap(), [&first_bytes[..]; 2]);
        }
    }
}

#[test]
fn an_address_that_refuses_gives_way_to_the_next() {
    let (_socket, refusing) = refusing();
    let listener = fastopen::listen("127.0.0.1:0").unwrap();
    let addresses = [refusing, listener.local_addr().unwrap()];
    let server = echo(listener, 2);
    connect_both_ways(&connector(), &addresses, b"PING", |connected| {
        let connected = connected.unwrap();
        assert_eq!(connected.stream.peer_addr().unwrap(), addresses[1]);
        assert_eq!(finish(&connected.stream), b"PING");
    });
    assert_eq!(server.join().unwrap(), [b"PING"; 2]);
}

#[test]
fn a_refusal_is_an_error_with_the_systems_number() {
    let (_socket, refusing) = refusing();
    connect_both_ways(&connector(), &[refusing], b"PING", |connected| {
        let error = connected.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{error}");
    });
    let error = connector().connect(refusing, ReplaySafe("PING")).unwrap_err();
    assert!(error.to_string().contains(&refusing.to_string()), "{error}");
}

#[test]
fn what_the_system_lacks_is_said() {
    if HAS_FAST_OPEN {
        return;
    }
    let listener = fastopen::listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let required = connector().with_policy(Policy::Require);
    let error = required.connect(address, ReplaySafe("PING")).unwrap_err();
    assert!(error.to_string().contains("sendto(MSG_FASTOPEN)"), "{error}");

    let client = connector().connect(address, ReplaySafe("PING")).unwrap();
    let (server, _) = listener.accept().unwrap();
    let unsupported = Some(io::ErrorKind::Unsupported);
    assert_eq!(Arrival::of(&server).err().map(|error| error.kind()), unsupported);
    assert_eq!(TcpInfo::of(&server).err().map(|error| error.kind()), unsupported);
    assert_eq!(
        fastopen::confirmed(&server).err().map(|error| error.kind()),
        unsupported
    );
    assert_eq!(Outcome::of(&client.stream).unwrap(), Outcome::Unknown);
}

#[test]
fn a_stream_that_connects_when_it_is_written_to() {
    use fastopen::for_tokio::LazyStream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = fastopen::listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = echo(listener, 1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime.block_on(async {
        let mut stream = LazyStream::replay_safe(connector(), address);
        stream.write_all(b"PI").await?;
        stream.write_all(b"NG").await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    });
    assert_eq!(answer.unwrap(), b"PING");
    assert_eq!(server.join().unwrap(), [b"PING"]);
}
