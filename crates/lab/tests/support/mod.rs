//! Clients and servers for the tests, over bare sockets: the library under development must not judge its own lab.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use fastopen_lab::Host;
use socket2::{Domain, Socket, Type};

/// A server socket that accepts within a time or not at all.
pub(crate) struct Listener(TcpListener);

impl Listener {
    pub(crate) fn new(host: &Host, address: SocketAddr) -> Self {
        let listener = host.run(|| TcpListener::bind(address)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn accept(&self, timeout: Duration) -> Option<TcpStream> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            match self.0.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                    return Some(stream);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err(error) => panic!("accept: {error}"),
            }
        }
        None
    }
}

/// Connects with the first bytes in the SYN if the kernel has a cookie, and behind the handshake if not.
pub(crate) fn connect_fast(host: &Host, target: SocketAddr, first: &[u8]) -> io::Result<TcpStream> {
    let socket = host.run(|| Socket::new(Domain::for_address(target), Type::STREAM, None))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let sent = socket.send_to_with_flags(first, &target.into(), libc::MSG_FASTOPEN)?;
    assert_eq!(sent, first.len());
    Ok(socket.into())
}

/// One of the host's TcpExt counters.
pub(crate) fn counter(host: &Host, name: &str) -> u64 {
    let text = host
        .run(|| fs::read_to_string("/proc/thread-self/net/netstat"))
        .unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|pair| pair.0 == name).unwrap().1.parse().unwrap()
}

/// The states of the host's connections with that port at the other end.
pub(crate) fn tcp_states(host: &Host, port: u16) -> Vec<&'static str> {
    let tables = ["tcp", "tcp6"].map(|table| format!("/proc/thread-self/net/{table}"));
    let text = host
        .run(|| tables.map(|path| fs::read_to_string(path).unwrap()))
        .concat();
    let states = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let remote = fields.get(2)?.rsplit_once(':')?.1;
        (u16::from_str_radix(remote, 16) == Ok(port)).then(|| match fields[3] {
            "01" => "ESTABLISHED",
            "03" => "SYN_RECV",
            _ => "another",
        })
    });
    states.collect()
}
