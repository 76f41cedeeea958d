//! macOS, from its kernel's sources (xnu: `bsd/netinet/tcp_usrreq.c`, `bsd/kern/uipc_socket.c`): it compiles, and has never been run.
//!
//! Fast Open for clients, and on or off for listeners. Everything else is as on a system without it: nothing is known of how connections
//! arrived, and an empty SYN with a cookie, for servers that speak first, can't be sent.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, c_void, socklen_t};
use socket2::{SockAddr, Socket};

use super::{BorrowedFd, FastSyn, connection_info};
use crate::error::CallError;
use crate::outcome::{Outcome, Reason, Sent};
use crate::tcp_info::TcpInfo;

pub(crate) use super::portable::{
    EdgeWaiter, connect_plain, connection_reset, flags_fast_open_children, handshake, is_out_of_descriptors,
    open, rtt_of_earlier_connections, saved_syn, send, server_enabled, set_keys, set_save_syn,
    set_synack_retries, tcp_info,
};

/// The call never waits, even on a blocking socket.
///
/// The kernel takes what fits into one chunk of its send buffer, and puts what fits of that into the SYN if it has a cookie; the rest follows
/// after the handshake. How much the SYN carries it does not tell. Without `CONNECT_RESUME_ON_READ_WRITE`, since with it `poll`
/// reports a socket as writable whose SYN has not left.
pub(crate) fn connect_fast(socket: &Socket, address: SocketAddr, bytes: &[u8]) -> Result<FastSyn, CallError> {
    if bytes.is_empty() {
        let failed = CallError::from_code("connectx", libc::EOPNOTSUPP);
        return Ok(FastSyn::NotPossible(Reason::Dataless, failed));
    }
    let blocks = !socket.nonblocking().map_err(call("fcntl(F_GETFL)"))?;
    if blocks {
        socket.set_nonblocking(true).map_err(call("fcntl(O_NONBLOCK)"))?;
    }
    let taken = connectx(socket, address, bytes)?;
    if blocks {
        socket.set_nonblocking(false).map_err(call("fcntl(O_NONBLOCK)"))?;
    }
    Ok(FastSyn::Sent(match taken {
        0 => Sent::Nothing,
        taken => Sent::InSyn(taken),
    }))
}

/// Answers how many of the bytes the kernel has taken.
fn connectx(socket: &Socket, address: SocketAddr, bytes: &[u8]) -> Result<usize, CallError> {
    let address = SockAddr::from(address);
    let endpoints = libc::sa_endpoints_t {
        sae_srcif: 0,
        sae_srcaddr: ptr::null(),
        sae_srcaddrlen: 0,
        sae_dstaddr: address.as_ptr().cast(),
        sae_dstaddrlen: address.len(),
    };
    let data = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(),
        iov_len: bytes.len(),
    };
    let mut taken = 0;
    // SAFETY: the addresses, `data`, what it points to, which is only read, and `taken` live through the call; no connection id is asked for.
    let result = unsafe {
        libc::connectx(
            socket.as_raw_fd(),
            &raw const endpoints,
            libc::SAE_ASSOCID_ANY,
            libc::CONNECT_DATA_IDEMPOTENT,
            &raw const data,
            1,
            &raw mut taken,
            ptr::null_mut(),
        )
    };
    match check(result) {
        // It says how much it has taken also while the handshake goes on (`connectx_nocancel`).
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
            Err(CallError::new("connectx", &error))
        }
        _ => Ok(taken),
    }
}

pub(crate) fn outcome(socket: BorrowedFd<'_>, sent: Sent, _: &TcpInfo, _: IpAddr) -> Outcome {
    if let Sent::Plain(outcome) = sent {
        return outcome;
    }
    let mut info = [0; connection_info::LEN];
    let mut len = info.len() as socklen_t;
    // SAFETY: `info` has room for `len` bytes and lives through the call, as does `len`.
    let result = check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONNECTION_INFO,
            info.as_mut_ptr().cast::<c_void>(),
            &raw mut len,
        )
    });
    match result {
        Ok(_) => connection_info::outcome(&info[..info.len().min(len as usize)]),
        Err(_) => Outcome::Unknown,
    }
}

/// `TCP_FASTOPEN` is `EINVAL` on a socket that does not listen.
pub(crate) const LISTENS_FIRST: bool = true;

/// The option is on or off, and the queue's length the system's own. `None` where the server bit (1) of `net.inet.tcp.fastopen` is off.
pub(crate) fn set_queue(listener: BorrowedFd<'_>, len: u32) -> Result<Option<u32>, CallError> {
    let on = c_int::from(len > 0);
    // SAFETY: `on` lives through the call, and its size is what the length says.
    let result = check(unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN,
            (&raw const on).cast::<c_void>(),
            size_of::<c_int>() as socklen_t,
        )
    });
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ENOTSUP) => Ok(None),
        result => result
            .map(|_| Some(len))
            .map_err(call("setsockopt(TCP_FASTOPEN)")),
    }
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn call(name: &'static str) -> impl Fn(io::Error) -> CallError {
    move |error| CallError::new(name, &error)
}
