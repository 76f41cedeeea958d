//! Options of a TCP socket, set before it connects, that show afterwards why connecting failed: who answered with an ICMP error, and whether
//! a server takes data without a cookie.
//!
//! `connect()` gives an error number, and several messages from several senders come to the same one: a refusal may be the server's RST
//! or a firewall's "port unreachable". The socket's error queue tells them apart, without privilege (ip(7), IP_RECVERR).

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::sys::error_queue;

/// An ICMP error that a connection attempt received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IcmpError {
    /// Who sent it.
    pub from: IpAddr,
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// Its type: 3 is "destination unreachable" in ICMP, 1 in ICMPv6.
    pub kind: u8,
    /// Its code.
    pub code: u8,
}

impl IcmpError {
    /// What type and code mean, as the registries name them (RFC 792, RFC 1812, RFC 4443).
    pub fn meaning(&self) -> &'static str {
        match (self.v6, self.kind, self.code) {
            (false, 3, 0) => "network unreachable",
            (false, 3, 1) | (true, 1, 3) => "host unreachable",
            (false, 3, 2) => "protocol unreachable",
            (false, 3, 3) | (true, 1, 4) => "port unreachable",
            (false, 3, 4) => "fragmentation needed",
            (false, 3, 9) => "network administratively prohibited",
            (false, 3, 10) => "host administratively prohibited",
            (false, 3, 13) | (true, 1, 1) => "communication administratively prohibited",
            (true, 1, 0) => "no route to destination",
            (true, 1, 2) => "beyond the scope of the source address",
            (true, 1, 5) => "source address failed the policy",
            (true, 1, 6) => "the route rejects it",
            (true, 2, _) => "packet too big",
            (false, 11, _) | (true, 3, _) => "time exceeded",
            _ => "an ICMP error",
        }
    }

    /// Whether it says that somebody forbids the connection, rather than that there is no way.
    pub fn is_prohibition(&self) -> bool {
        matches!(
            (self.v6, self.kind, self.code),
            (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6)
        )
    }
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.v6 { "ICMPv6" } else { "ICMP" };
        let Self { from, kind, code, .. } = self;
        write!(
            f,
            "{} ({protocol} type {kind}, code {code}) from {from}",
            self.meaning()
        )
    }
}

/// Makes a TCP socket keep the ICMP errors that it receives, from now on.
///
/// # Errors
/// The system refuses.
pub fn keep(socket: impl AsFd, address: IpAddr) -> io::Result<()> {
    match address {
        IpAddr::V4(_) => error_queue::enable(socket.as_fd(), libc::IPPROTO_IP, libc::IP_RECVERR),
        IpAddr::V6(_) => {
            // For IPv4-mapped addresses, which ICMP answers. Where it can't be set, ICMPv6's errors are kept all the same.
            let _ = error_queue::enable(socket.as_fd(), libc::IPPROTO_IP, libc::IP_RECVERR);
            error_queue::enable(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        }
    }
}

/// Takes the next ICMP error that a socket has kept; `None` if there is none (any more).
///
/// # Errors
/// The system refuses.
pub fn next(socket: impl AsFd) -> io::Result<Option<IcmpError>> {
    let socket: BorrowedFd<'_> = socket.as_fd();
    while let Some(queued) = error_queue::next(socket)? {
        if let Some(error_queue::Queued { from, v6, kind, code }) = queued {
            return Ok(Some(IcmpError { from, v6, kind, code }));
        }
    }
    Ok(None)
}

/// Lets a socket send data in its SYN although there is no cookie (TCP_FASTOPEN_NO_COOKIE): only servers that need none take it.
///
/// # Errors
/// The system refuses: the option dates from Linux 4.15.
pub fn send_without_cookie(socket: impl AsFd) -> io::Result<()> {
    // Not in the libc crate for every target.
    const TCP_FASTOPEN_NO_COOKIE: libc::c_int = 34;
    error_queue::enable(socket.as_fd(), libc::IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE)
}
