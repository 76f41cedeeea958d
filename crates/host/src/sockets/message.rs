//! What requests and answers of `sock_diag` have in common.

/// `INET_DIAG_INFO`: `struct tcp_info`.
pub(super) const INFO: u16 = 2;

/// An address family, by its number on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Family {
    Ipv4 = 2,
    Ipv6 = 10,
}

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];
}
