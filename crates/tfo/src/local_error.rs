//! Why this system makes no connection attempt, as its error number tells, and what helps.

use std::io::ErrorKind;
use std::net::SocketAddr;

use fastopen::{Attempt, CallError};

/// Why no SYN left this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalError {
    /// There is no address to connect from (EADDRNOTAVAIL).
    NoAddress,
    /// The system has no IPv4, or no IPv6 (EAFNOSUPPORT).
    NoFamily,
    /// A link-local address is given without its interface (EINVAL).
    NoZone,
    /// The route is a blackhole, or the kernel does not take the address (EINVAL).
    BlackholeRoute,
    /// A route or a security module prohibits it (EACCES).
    Prohibited,
    /// A filter forbids it (EPERM).
    Forbidden,
    /// Descriptors or memory have run out.
    Exhausted,
    Other,
}

impl LocalError {
    /// The last error of connecting, and what it means if it came from this system.
    pub(crate) fn last(attempts: &[Attempt]) -> Option<(CallError, Self)> {
        let error = |attempt: &Attempt| Some((attempt.end.error()?, attempt.address));
        let (error, address) = attempts.iter().rev().find_map(error)?;
        Some((error, Self::of(error, address)))
    }

    /// What a call's error means that was to connect to an address.
    fn of(error: CallError, address: SocketAddr) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::AddrNotAvailable, _) => Self::NoAddress,
            (_, libc::EAFNOSUPPORT) => Self::NoFamily,
            (ErrorKind::InvalidInput, _) if lacks_zone(address) => Self::NoZone,
            (ErrorKind::InvalidInput, _) if connects(error) => Self::BlackholeRoute,
            (_, libc::EACCES) => Self::Prohibited,
            (_, libc::EPERM) => Self::Forbidden,
            (ErrorKind::OutOfMemory, _) | (_, libc::EMFILE | libc::ENFILE | libc::ENOBUFS) => Self::Exhausted,
            _ => Self::Other,
        }
    }

    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::NoAddress => {
                "this machine has no address of that family to connect from, or no free port is left (EADDRNOTAVAIL)"
            }
            Self::NoFamily => "this system does not have that address family (EAFNOSUPPORT)",
            Self::NoZone => "a link-local address says nothing without its interface (EINVAL)",
            Self::BlackholeRoute => {
                "this machine's kernel does not take the address, as where its route is a blackhole (EINVAL)"
            }
            Self::Prohibited => "a prohibit route or a security module of this machine prohibits it (EACCES)",
            Self::Forbidden => {
                "a seccomp filter, a BPF program or a firewall of this machine forbids it (EPERM)"
            }
            Self::Exhausted => "this system has no file descriptor or no memory left for it",
            Self::Other => "this system does not make the connection",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(self) -> Option<&'static str> {
        match self {
            Self::NoAddress => Some(
                "this machine has no address of that family to connect from (see ip address), or no free port is left",
            ),
            Self::NoFamily => Some("use an address of the other family: this system lacks that one"),
            Self::NoZone => Some("name the interface, as in [fe80::1%eth0]:80; see ip -6 neigh"),
            Self::BlackholeRoute => {
                Some("see ip route get ADDRESS: where it says \"Invalid argument\", the route is a blackhole")
            }
            Self::Prohibited => Some(
                "see ip route get ADDRESS: where it says \"Permission denied\", the route is a prohibit route; otherwise a security module (SELinux, AppArmor) or, over IPv6, a firewall on the path prohibits it",
            ),
            Self::Forbidden => Some(
                "see whether this program's sandbox forbids it (seccomp, BPF: bpftool cgroup tree), or a firewall on this machine (nft list ruleset)",
            ),
            Self::Exhausted => Some("raise ulimit -n, or run fewer at a time"),
            Self::Other => None,
        }
    }
}

fn connects(error: CallError) -> bool {
    matches!(error.call(), "connect" | "sendto(MSG_FASTOPEN)")
}

fn lacks_zone(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V6(address) => address.ip().is_unicast_link_local() && address.scope_id() == 0,
        SocketAddr::V4(_) => false,
    }
}
