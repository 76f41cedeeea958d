//! The TCP listeners of the calling thread's network namespace, and which of them use Fast Open.
//!
//! No socket call and no netlink message tells a listener's Fast Open queue; the last column of `/proc/net/tcp` does. The whole table
//! has to be read for that, connections included; it is read line by line, and only listeners are kept.
//!
//! Source: `net/ipv4/tcp_ipv4.c:get_tcp4_sock`, `net/ipv6/tcp_ipv6.c:get_tcp6_sock`.

mod parse;

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr};

use crate::error::Error;
use crate::proc;

/// A socket that listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    /// Where it listens. An IPv6 listener on the unspecified address takes IPv4 connections too, unless it is IPv6-only, which
    /// `/proc` does not tell.
    pub address: SocketAddr,
    /// How many Fast Open connections may wait for the end of their handshakes; 0: the listener does not use Fast Open; `None`: the
    /// kernel doesn't tell.
    pub fast_open_queue: Option<u32>,
    /// How many connections wait to be accepted.
    pub to_accept: u32,
    /// Whose it is.
    pub uid: u32,
    /// The socket's inode number, by which [`Owners`](crate::owners::Owners) finds the processes that hold it.
    pub inode: u64,
}

impl Listener {
    /// Whether the listener uses Fast Open, as far as the socket is concerned; the sysctl's server bit must be on too.
    pub fn uses_fast_open(&self) -> bool {
        self.fast_open_queue.is_some_and(|length| length > 0)
    }

    /// Whether other hosts can reach it: false for a listener on a loopback address.
    pub fn is_reachable_from_elsewhere(&self) -> bool {
        match self.address.ip().to_canonical() {
            IpAddr::V4(address) => !address.is_loopback(),
            IpAddr::V6(address) => !address.is_loopback(),
        }
    }
}

/// Every TCP listener, IPv4 first.
///
/// # Errors
/// [`Error`] if a table can't be read, or a listener's line makes no sense.
///
/// # Examples
/// ```
/// # if cfg!(target_os = "linux") {
/// for listener in fastopen_host::listeners::list()? {
///     println!("{}: {}", listener.address, if listener.uses_fast_open() { "fast" } else { "plain" });
/// }
/// # }
/// # Ok::<(), fastopen_host::Error>(())
/// ```
pub fn list() -> Result<Vec<Listener>, Error> {
    let mut listeners = Vec::new();
    for table in ["tcp", "tcp6"] {
        // A kernel without IPv6 has no tcp6.
        if let Some(file) = proc::open_net(table)? {
            for listener in Listeners::new(table, BufReader::with_capacity(1 << 16, file)) {
                listeners.push(listener?);
            }
        }
    }
    Ok(listeners)
}

/// The listeners in the text of `/proc/net/tcp` or `/proc/net/tcp6`, one after the other, in a line's worth of memory.
///
/// ```
/// use fastopen_host::listeners::Listeners;
///
/// let table = "   0: 00000000:0050 00000000:0000 0A 00000000:00000002 00:00000000 00000000 33 0 4711 1 0 100 0 0 10 256\n";
/// let listener = Listeners::new("tcp", table.as_bytes()).next().unwrap()?;
/// assert_eq!(listener.address, "0.0.0.0:80".parse().unwrap());
/// assert_eq!((listener.fast_open_queue, listener.to_accept), (Some(256), 2));
/// # Ok::<(), fastopen_host::Error>(())
/// ```
#[derive(Debug)]
pub struct Listeners<R> {
    table: &'static str,
    reader: R,
    line: Vec<u8>,
    failed: bool,
}

impl<R: BufRead> Listeners<R> {
    /// Takes a table and its name, which errors will tell.
    pub fn new(table: &'static str, reader: R) -> Self {
        Self {
            table,
            reader,
            line: Vec::new(),
            failed: false,
        }
    }

    fn read_line(&mut self) -> Result<Option<&str>, Error> {
        self.line.clear();
        let read = Read::take(&mut self.reader, MAX_LINE).read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) if self.line.len() as u64 == MAX_LINE => Err(malformed(self.table, "a line has no end")),
            Ok(_) => std::str::from_utf8(&self.line)
                .map(Some)
                .map_err(|_| malformed(self.table, "it is not text")),
            Err(error) => Err(Error::Read {
                path: format!("/proc/net/{}", self.table).into(),
                error,
            }),
        }
    }

    fn next_listener(&mut self) -> Result<Option<Listener>, Error> {
        let table = self.table;
        while let Some(line) = self.read_line()? {
            if let Some(listener) = parse::listener(line).map_err(|problem| malformed(table, problem))? {
                return Ok(Some(listener));
            }
        }
        Ok(None)
    }
}

/// Lines are 150 bytes long, or a little longer for IPv6.
const MAX_LINE: u64 = 4096;

impl<R: BufRead> Iterator for Listeners<R> {
    type Item = Result<Listener, Error>;

    /// The next listener; nothing more after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_listener();
        self.failed = next.is_err();
        next.transpose()
    }
}

fn malformed(table: &str, problem: &str) -> Error {
    Error::malformed(format!("/proc/net/{table}"), problem)
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    const TCP: &str = include_str!("../../tests/fixtures/tcp-6.18");
    const TCP6: &str = include_str!("../../tests/fixtures/tcp6-6.18");

    fn all(table: &str) -> Result<Vec<Listener>, Error> {
        Listeners::new("tcp", table.as_bytes()).collect()
    }

    #[test]
    fn the_kernels_tables_are_taken() {
        let found: Vec<_> = [TCP, TCP6]
            .into_iter()
            .flat_map(|table| all(table).unwrap())
            .map(|listener| {
                (
                    listener.address.to_string(),
                    listener.fast_open_queue,
                    listener.to_accept,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("0.0.0.0:22".to_owned(), Some(0), 1),
                ("127.0.0.1:8080".to_owned(), Some(5), 0),
                ("[::]:8443".to_owned(), Some(7), 0),
            ]
        );
    }

    #[test]
    fn a_table_of_connections_has_no_listeners() {
        let row = TCP.lines().last().unwrap();
        assert!(all(&format!("{row}\n").repeat(100_000)).unwrap().is_empty());
    }

    #[test]
    fn a_line_without_end_is_an_error_and_ends_the_walk() {
        let mut listeners = Listeners::new("tcp", std::io::BufReader::new(std::io::repeat(b'x')));
        let error = listeners.next().unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            "/proc/net/tcp can't be understood: a line has no end"
        );
        assert!(listeners.next().is_none());
    }

    #[test]
    fn every_cut_is_taken_or_refused() {
        for cut in 0..TCP.len() {
            let _ = all(&TCP[..cut]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            Listeners::new("tcp", &bytes[..]).for_each(drop);
        }
    }
}
