//! The system calls.
//!
//! What a platform provides:
//!
//! - `AsFd`, `BorrowedFd`: a socket as the public functions take it, and borrowed; `codes`: the system's error numbers.
//! - `open(address, options, blocking)`: a TCP socket for that address' family.
//! - `connect_fast(socket, address, bytes)`: sends a SYN with the option and returns at once, also on a blocking socket. A platform
//!   without Fast Open answers `FastSyn::NotPossible`.
//! - `connect_plain(socket, address)`: sends an ordinary SYN, and returns at once on a non-blocking socket.
//! - `handshake(socket)`: how far it is, and what the system tells of the connection, or why there is none.
//! - `is_out_of_descriptors(error)`, `connection_reset()`: error numbers that decisions depend on.
//! - `share_address(listener, reuse_port)`, `is_nonblocking(socket)`: what the families of systems do each in its way.
//! - `send(socket, bytes)`, `wait_writable(sockets, until)`, `wait_readable(socket, until)`: the non-blocking write and the waits of
//!   the blocking driver.
//! - `rtt_of_earlier_connections(destination)`: the round-trip time that the system has kept, if it keeps any.
//! - `outcome(socket, sent, info, destination)`: what became of the first bytes, once the handshake is complete.
//! - `tcp_info(socket)`, `saved_syn(socket)`: what the system tells of any connection.
//! - `LISTENS_FIRST`: whether a listener takes its settings only once it listens.
//! - `set_queue`, `set_keys`, `set_save_syn`, `set_synack_retries`, `server_enabled`: a listener's settings. What this kind of socket lacks
//!   is a value: `None` or `false`.
//! - `EdgeWaiter`: waits for the socket's next change, without taking anything away from its other users.
//!
//! All `unsafe` of the crate stands in here.

#[cfg(all(any(target_os = "linux", target_os = "android"), not(fastopen_portable)))]
mod linux;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(fastopen_portable)))]
use linux as platform;

#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(fastopen_portable))))]
mod portable;
#[cfg(not(any(
    all(any(target_os = "linux", target_os = "android"), not(fastopen_portable)),
    all(target_os = "macos", feature = "macos-unverified", not(fastopen_portable)),
)))]
use portable as platform;

#[cfg(all(target_os = "macos", feature = "macos-unverified", not(fastopen_portable)))]
mod macos;
#[cfg(all(target_os = "macos", feature = "macos-unverified", not(fastopen_portable)))]
use macos as platform;

// What it decides is tested everywhere.
#[cfg(any(
    test,
    all(target_os = "macos", feature = "macos-unverified", not(fastopen_portable))
))]
mod connection_info;

#[cfg(unix)]
#[path = "unix.rs"]
mod family;
#[cfg(windows)]
#[path = "windows.rs"]
mod family;
#[cfg(unix)]
mod poll;

#[cfg(not(any(unix, windows)))]
compile_error!("fastopen does not support this system yet: see the top of sys/mod.rs for what it takes");

#[cfg(feature = "tokio")]
pub(crate) use family::is_nonblocking;
pub(crate) use family::{AsFd, BorrowedFd, codes, share_address};
#[cfg(windows)]
pub(crate) use family::{wait_readable, wait_writable};
pub(crate) use platform::*;
#[cfg(unix)]
pub(crate) use poll::{wait_readable, wait_writable};

mod options;
mod setup;

pub(crate) use options::SocketOptions;
pub(crate) use setup::SocketSetup;

use std::time::Instant;

use crate::error::CallError;
use crate::outcome::{Reason, Sent};
use crate::tcp_info::TcpInfo;

/// The time until then, rounded up so that a wait never ends just before it; -1, which is for ever, without one.
fn milliseconds_until(until: Option<Instant>) -> i32 {
    let Some(until) = until else { return -1 };
    let left = until.saturating_duration_since(Instant::now());
    i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

/// How far a client's handshake is.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives for one call, on the stack")]
pub(crate) enum Handshake {
    /// It goes on, and what the system tells of it meanwhile, if it was asked.
    UnderWay(Option<TcpInfo>),
    /// It is complete.
    Complete(TcpInfo),
}

/// What came of sending a SYN with the Fast Open option.
#[cfg_attr(
    any(not(any(target_os = "linux", target_os = "android")), fastopen_portable),
    allow(dead_code, reason = "without Fast Open none is sent")
)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum FastSyn {
    /// It is on its way.
    Sent(Sent),
    /// The system has no Fast Open, or has it switched off: nothing was sent, and the socket can still connect plainly.
    NotPossible(Reason, CallError),
}
