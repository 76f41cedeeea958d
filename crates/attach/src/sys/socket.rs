//! Socket options that socket2 lacks.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use libc::{c_int, socklen_t};

use super::check;

/// An option whose value is an integer.
pub(crate) fn integer(socket: BorrowedFd<'_>, level: c_int, option: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as socklen_t;
    // SAFETY: the pointers are to a `c_int` and to its length, which outlive the call.
    let returned = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw mut value).cast(),
            &raw mut len,
        )
    };
    check(returned.into()).map(|_| value)
}

/// shutdown(2), for any number and any direction: who supervises this process may answer it.
pub(crate) fn shutdown(number: RawFd, how: c_int) -> io::Result<()> {
    // SAFETY: the call takes two integers, and leaves memory alone.
    check(unsafe { libc::shutdown(number, how) }.into()).map(drop)
}

/// Names the network namespace of a socket; None before Linux 5.14.
pub(crate) fn namespace(socket: BorrowedFd<'_>) -> Option<u64> {
    let mut cookie: u64 = 0;
    let mut len = size_of::<u64>() as socklen_t;
    // SAFETY: the pointers are to a `u64` and to its length, which outlive the call.
    let returned = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    };
    (returned == 0).then_some(cookie)
}

/// As [`namespace`], for the sockets of this process.
pub(crate) fn own_namespace() -> Option<u64> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).ok()?;
    namespace(socket.as_fd())
}

/// Sets an option to these bytes.
pub(crate) fn set(socket: BorrowedFd<'_>, level: c_int, option: c_int, value: &[u8]) -> io::Result<()> {
    let len = socklen_t::try_from(value.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: the pointer is to as many bytes as the length says, and they outlive the call.
    let returned = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), len) };
    check(returned.into()).map(drop)
}

/// Sets an option to an integer.
pub(crate) fn set_integer(
    socket: BorrowedFd<'_>,
    level: c_int,
    option: c_int,
    value: c_int,
) -> io::Result<()> {
    set(socket, level, option, &value.to_ne_bytes())
}

/// The kernel's `struct tcp_info`, into a buffer; gives its length.
pub(crate) fn tcp_info(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    get(socket, libc::IPPROTO_TCP, libc::TCP_INFO, into)
}

/// An option of any length, into a buffer; gives how much of it the kernel wrote.
pub(crate) fn get(socket: BorrowedFd<'_>, level: c_int, option: c_int, into: &mut [u8]) -> io::Result<usize> {
    let mut len = socklen_t::try_from(into.len()).unwrap_or(socklen_t::MAX);
    // SAFETY: the pointers are to a buffer and to its length, which outlive the call.
    let returned = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            option,
            into.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    check(returned.into())?;
    Ok(usize::try_from(len).map_or(into.len(), |len| len.min(into.len())))
}
