//! What the tests share: the program, captures of a lab's packets, and a server that tells how its connections arrived.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::piped::spawn_piped;
use fastopen::{Arrival, ArrivalKind, Connector, ListenOptions, PathMemory};
use fastopen_lab::{Frame, Host};
use serde_json::Value;

pub(crate) const PORT: u16 = 80;
/// Longer than anything that works takes, on a busy machine too.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn tfo_trace(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tfo"));
    command.arg("trace").args(arguments);
    command
}

/// Runs `tfo trace` with a capture on standard input.
pub(crate) fn trace(arguments: &[&str], capture: &[u8]) -> Output {
    let mut child = spawn_piped(&mut tfo_trace(arguments));
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // It need not read on to the end.
            let _ = stdin.write_all(capture);
        });
        child.wait_with_output().unwrap()
    })
}

/// The connections in a capture, in the order in which they began.
pub(crate) fn connections(capture: &[u8]) -> Vec<Value> {
    let output = trace(&["--read", "-", "--json"], capture);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let mut connections = reports(&output.stdout);
    connections.sort_by(|one, other| {
        let [one, other] = [one, other].map(|connection| connection["started"].as_f64().unwrap());
        one.total_cmp(&other)
    });
    connections
}

/// The objects of `--json`, which must fit the schema.
pub(crate) fn reports(lines: &[u8]) -> Vec<Value> {
    let schema = serde_json::from_str(include_str!("../../schemas/trace.json")).unwrap();
    let lines = std::str::from_utf8(lines).unwrap().lines();
    lines
        .map(|line| {
            let report = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            jsonschema::validate(&schema, &report).unwrap_or_else(|error| panic!("{error}: {line}"));
            report
        })
        .collect()
}

pub(crate) fn verdicts(connections: &[Value]) -> Vec<&str> {
    connections
        .iter()
        .map(|connection| connection["verdict"].as_str().unwrap())
        .collect()
}

/// The frames as a pcap file: raw IP, nanoseconds.
pub(crate) fn pcap<'f>(frames: impl IntoIterator<Item = &'f Frame>) -> Vec<u8> {
    const RAW_IP: u32 = 101;
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, RAW_IP] {
        file.extend(u32::to_le_bytes(word));
    }
    for frame in frames {
        let len = frame.packet.len() as u32;
        for word in [frame.at.as_secs() as u32, frame.at.subsec_nanos(), len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend_from_slice(&frame.packet);
    }
    file
}

/// How a connection arrived, and from which port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) port: u16,
    pub(crate) kind: ArrivalKind,
}

/// Serves in these hosts: answers each connection with what it received, and tells.
pub(crate) fn serve<'h>(
    hosts: impl IntoIterator<Item = &'h Host>,
    options: &ListenOptions,
) -> Receiver<Served> {
    let (tell, served) = channel();
    for host in hosts {
        let listener = host.run(|| options.listen(("::", PORT))).unwrap().listener;
        let tell = tell.clone();
        thread::spawn(move || {
            while let Ok((mut stream, peer)) = listener.accept() {
                let kind = Arrival::of(&stream).unwrap().kind;
                let port = peer.port();
                if tell.send(Served { port, kind }).is_err() {
                    return;
                }
                thread::spawn(move || {
                    let mut received = Vec::new();
                    let _ = stream.read_to_end(&mut received);
                    let _ = stream.write_all(&received);
                });
            }
        });
    }
    served
}

/// A connector that knows nothing of other tests' paths.
pub(crate) fn connector() -> Connector {
    Connector::new()
        .with_path_memory(PathMemory::default())
        .with_timeout(LONG)
}

/// Ends the client's side, and reads the answer to its end.
pub(crate) fn finish(mut stream: TcpStream) {
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

pub(crate) fn at(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, PORT)
}
