//! A socket's error queue (ip(7), IP_RECVERR), and options that no crate wraps.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_int, c_void, socklen_t};

/// What the kernel tells of an ICMP error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queued {
    pub(crate) from: IpAddr,
    pub(crate) v6: bool,
    pub(crate) kind: u8,
    pub(crate) code: u8,
}

/// Turns a boolean or numeric option on.
pub(crate) fn enable(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: `on` has the length that is told, and lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(&on).cast::<c_void>(),
            size_of::<c_int>() as socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes the next error from the queue: nothing when it is empty, and nothing inside for an error that no ICMP message brought.
pub(crate) fn next(socket: BorrowedFd<'_>) -> io::Result<Option<Option<Queued>>> {
    // Room for two control messages, aligned as their headers are.
    let mut control = [0_u64; 64];
    // SAFETY: all zeros are a valid `msghdr`: no name, no data, no control messages.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_control = control.as_mut_ptr().cast::<c_void>();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the message points to `control`, which lives through the call and is as long as it says.
    let received = unsafe {
        libc::recvmsg(
            socket.as_raw_fd(),
            &raw mut message,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    if received < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: the kernel has filled in the message; the header, if there is one, lies within `control`.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !header.is_null() {
        // SAFETY: the header is not null, and aligned as `control` is.
        let head = unsafe { &*header };
        let (level, kind) = (head.cmsg_level, head.cmsg_type);
        let is_error = (level == libc::IPPROTO_IP && kind == libc::IP_RECVERR)
            || (level == libc::IPPROTO_IPV6 && kind == libc::IPV6_RECVERR);
        // SAFETY: the data follows its header.
        let data = unsafe { libc::CMSG_DATA(header) };
        #[allow(
            clippy::unnecessary_cast,
            reason = "the length's type differs between C libraries"
        )]
        let len = (head.cmsg_len as usize).saturating_sub(data as usize - header as usize);
        // SAFETY: of the data there are as many bytes as the length says, less the header's.
        let bytes = unsafe { std::slice::from_raw_parts(data, len) };
        if is_error {
            return Ok(Some(parse(bytes)));
        }
        // SAFETY: both pointers are those of the message that the kernel has filled in.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok(Some(None))
}

/// Reads a `struct sock_extended_err` and the address behind it (include/uapi/linux/errqueue.h).
fn parse(bytes: &[u8]) -> Option<Queued> {
    const ORIGIN_ICMP: u8 = 2;
    const ORIGIN_ICMP6: u8 = 3;
    let (error, address) = bytes.split_at_checked(16)?;
    let (origin, kind, code) = (error[4], error[5], error[6]);
    let family = u16::from_ne_bytes(*address.first_chunk()?);
    let from = match c_int::from(family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*address.get(4..)?.first_chunk::<4>()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*address.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    matches!(origin, ORIGIN_ICMP | ORIGIN_ICMP6).then_some(Queued {
        from: from.to_canonical(),
        v6: origin == ORIGIN_ICMP6,
        kind,
        code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_of_an_error_is_taken_or_refused() {
        let mut bytes = vec![111, 0, 0, 0, 2, 3, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend((libc::AF_INET as u16).to_ne_bytes());
        bytes.extend([0, 0, 192, 0, 2, 254, 0, 0, 0, 0, 0, 0, 0, 0]);
        let found = parse(&bytes).unwrap();
        assert_eq!(found.from, IpAddr::from([192, 0, 2, 254]));
        assert_eq!((found.v6, found.kind, found.code), (false, 3, 13));
        for cut in 0..24 {
            assert!(parse(&bytes[..cut]).is_none(), "{cut}");
        }
        bytes[4] = 1;
        assert!(parse(&bytes).is_none(), "an error of this system");
    }
}
