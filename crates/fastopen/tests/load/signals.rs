//! A signal every millisecond: a blocking connect that waits in the kernel would send its data twice, or report an error for data that
//! is sent.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use fastopen::{Connected, Connector, ListenOptions, Outcome, PathMemory, ReplaySafe};
use fastopen_lab::testing::LabTest;
use fastopen_lab::{Lab, Scenario};

use crate::alone;
use crate::sys::{handle_signals, interrupted, signals_seen};

/// Longer than a signal's period, so that the wait for each SYN-ACK is interrupted several times.
const RTT: Duration = Duration::from_millis(6);
const CONNECTS: usize = 1000;

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [alone(
        "signals::never_a_byte_twice_or_missing",
        never_a_byte_twice_or_missing,
    )]
    .into_iter()
}

fn never_a_byte_twice_or_missing() {
    for restart in [true, false] {
        handle_signals(restart);
        let before = signals_seen();
        let lab = Lab::new(&Scenario::new("signals").with_rtt(RTT)).unwrap();
        let server = lab.server().unwrap();
        let listener = server
            .run(|| ListenOptions::new().listen(("::", 80)))
            .unwrap()
            .listener;
        thread::spawn(move || echo(&listener));
        thread::scope(|scope| {
            for ip in server.addresses() {
                for connect in [connect_blocking, connect_tokio] {
                    let lab = &lab;
                    scope.spawn(move || many(lab, ip, connect));
                }
            }
        });
        assert!(signals_seen() - before > CONNECTS as u64, "there were signals");
    }
}

type Connect = fn(&Connector, SocketAddr, &[u8]) -> Connected<TcpStream>;

fn connect_blocking(connector: &Connector, address: SocketAddr, request: &[u8]) -> Connected<TcpStream> {
    connector.connect(address, ReplaySafe(request)).unwrap()
}

fn connect_tokio(connector: &Connector, address: SocketAddr, request: &[u8]) -> Connected<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connected = runtime
        .block_on(connector.connect_tokio(address, ReplaySafe(request)))
        .unwrap();
    let _in_the_runtime = runtime.enter();
    connected.map(|stream| {
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    })
}

fn many(lab: &Lab, ip: IpAddr, connect: Connect) {
    lab.client().unwrap().run(|| {
        interrupted(|| {
            let connector = Connector::new()
                .with_path_memory(PathMemory::default())
                .with_delay(Duration::from_secs(20));
            for i in 0..CONNECTS / 4 {
                let request = request(i);
                let connected = connect(&connector, SocketAddr::new(ip, 80), &request);
                let fast = connected.outcome == Outcome::Accepted;
                assert!(fast || i == 0, "connect {i} to {ip}: {}", connected.outcome);
                let mut stream = connected.stream;
                stream.shutdown(Shutdown::Write).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                assert!(
                    answer == request,
                    "{} bytes arrived of {}",
                    answer.len(),
                    request.len()
                );
            }
        });
    });
}

/// Now less than the SYN carries, now more.
fn request(i: usize) -> Vec<u8> {
    let len = [1, 100, 1400, 5000][i % 4];
    (0..len).map(|byte| (byte + i) as u8).collect()
}

fn echo(listener: &TcpListener) {
    while let Ok((mut stream, _)) = listener.accept() {
        thread::spawn(move || {
            let mut request = Vec::new();
            stream
                .read_to_end(&mut request)
                .and_then(|_| stream.write_all(&request))
        });
    }
}
