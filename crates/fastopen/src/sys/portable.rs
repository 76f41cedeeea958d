//! Any Unix, and Windows: plain TCP, without Fast Open and without an account of what happened.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{BorrowedFd, FastSyn, Handshake, SocketOptions, codes};
use crate::error::CallError;
use crate::key::KeyRing;
use crate::outcome::{Outcome, Reason, Sent};
use crate::tcp_info::TcpInfo;

pub(crate) fn open(
    address: SocketAddr,
    options: &SocketOptions,
    blocking: bool,
) -> Result<Socket, CallError> {
    if options.mark.is_some() {
        return Err(unsupported_call("setsockopt(SO_MARK)"));
    }
    if options.device.is_some() {
        return Err(unsupported_call("setsockopt(SO_BINDTODEVICE)"));
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(call("socket"))?;
    socket
        .set_nonblocking(!blocking)
        .map_err(call("ioctl(FIONBIO)"))?;
    if options.nodelay {
        // What counts is the connection; this only makes it quicker.
        let _ = socket.set_tcp_nodelay(true);
    }
    if let Some(setup) = &options.setup {
        setup.run(&socket)?;
    }
    if let Some(local) = options.local_address(address) {
        socket.bind(&local.into()).map_err(call("bind"))?;
    }
    Ok(socket)
}

pub(crate) fn connect_plain(socket: &Socket, address: SocketAddr) -> Result<(), CallError> {
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(codes::IN_PROGRESS) => {
            Err(CallError::new("connect", &error))
        }
        _ => Ok(()),
    }
}

#[cfg_attr(
    all(target_os = "macos", feature = "macos-unverified"),
    allow(dead_code, reason = "macos.rs has its own")
)]
pub(crate) fn connect_fast(_: &Socket, _: SocketAddr, _: &[u8]) -> Result<FastSyn, CallError> {
    Ok(FastSyn::NotPossible(
        Reason::Unsupported,
        unsupported_call("sendto(MSG_FASTOPEN)"),
    ))
}

pub(crate) fn handshake(socket: BorrowedFd<'_>) -> Result<Handshake, CallError> {
    let socket = SockRef::from(&socket);
    if let Some(error) = socket.take_error().map_err(call("getsockopt(SO_ERROR)"))? {
        return Err(CallError::new("connect", &error));
    }
    Ok(match socket.peer_addr() {
        Ok(_) => Handshake::Complete(TcpInfo::from_bytes(&[])),
        Err(_) => Handshake::UnderWay(None),
    })
}

#[cfg_attr(
    all(target_os = "macos", feature = "macos-unverified"),
    allow(dead_code, reason = "macos.rs has its own")
)]
pub(crate) fn outcome(_: BorrowedFd<'_>, sent: Sent, info: &TcpInfo, destination: IpAddr) -> Outcome {
    Outcome::judge(sent, info, destination, false)
}

pub(crate) fn is_out_of_descriptors(error: &CallError) -> bool {
    codes::OUT_OF_DESCRIPTORS.contains(&error.code())
}

pub(crate) fn connection_reset() -> CallError {
    CallError::from_code("send", codes::CONNECTION_RESET)
}

pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    SockRef::from(&socket).send(bytes)
}

pub(crate) fn rtt_of_earlier_connections(_: IpAddr) -> Option<Duration> {
    None
}

pub(crate) fn tcp_info(_: BorrowedFd<'_>) -> io::Result<TcpInfo> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn saved_syn(_: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg_attr(
    all(target_os = "macos", feature = "macos-unverified"),
    allow(dead_code, reason = "macos.rs has its own")
)]
pub(crate) const LISTENS_FIRST: bool = false;

#[cfg_attr(
    all(target_os = "macos", feature = "macos-unverified"),
    allow(dead_code, reason = "macos.rs has its own")
)]
pub(crate) fn set_queue(_: BorrowedFd<'_>, _: u32) -> Result<Option<u32>, CallError> {
    Ok(None)
}

pub(crate) fn set_keys(_: BorrowedFd<'_>, _: &KeyRing) -> Result<(), CallError> {
    Err(unsupported_call("setsockopt(TCP_FASTOPEN_KEY)"))
}

pub(crate) fn set_save_syn(_: BorrowedFd<'_>, _: bool) -> Result<bool, CallError> {
    Ok(false)
}

pub(crate) fn set_synack_retries(_: BorrowedFd<'_>, _: u8) -> Result<bool, CallError> {
    Ok(false)
}

pub(crate) fn server_enabled() -> Option<bool> {
    None
}

pub(crate) fn flags_fast_open_children() -> bool {
    false
}

/// There is nothing to wait for: [`tcp_info`] does not tell the state.
#[derive(Debug)]
pub(crate) struct EdgeWaiter;

impl EdgeWaiter {
    pub(crate) fn new(_: BorrowedFd<'_>) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn wait(&self, _: Duration) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn unsupported_call(name: &'static str) -> CallError {
    CallError::from_code(name, codes::NOT_SUPPORTED)
}

fn call(name: &'static str) -> impl Fn(io::Error) -> CallError {
    move |error| CallError::new(name, &error)
}
