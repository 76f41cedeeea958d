//! What Linux and the other Unix systems share.

use std::io;

use socket2::Socket;

use crate::error::CallError;

pub(crate) use std::os::fd::{AsFd, BorrowedFd};

/// The system's error numbers that decisions depend on.
#[cfg_attr(
    all(any(target_os = "linux", target_os = "android"), not(fastopen_portable)),
    allow(dead_code, reason = "what is only on Linux names them itself")
)]
pub(crate) mod codes {
    pub(crate) const CANCELED: i32 = libc::ECANCELED;
    pub(crate) const CONNECTION_RESET: i32 = libc::ECONNRESET;
    /// What a connect that goes on answers.
    pub(crate) const IN_PROGRESS: i32 = libc::EINPROGRESS;
    pub(crate) const NOT_SUPPORTED: i32 = libc::EOPNOTSUPP;
    pub(crate) const OUT_OF_DESCRIPTORS: [i32; 2] = [libc::EMFILE, libc::ENFILE];
}

/// Lets a listener have an address that closed connections still keep, and several listeners one port where that is asked for.
pub(crate) fn share_address(socket: &Socket, reuse_port: bool) -> Result<(), CallError> {
    let call = |name| move |error: io::Error| CallError::new(name, &error);
    socket
        .set_reuse_address(true)
        .map_err(call("setsockopt(SO_REUSEADDR)"))?;
    if reuse_port {
        socket
            .set_reuse_port(true)
            .map_err(call("setsockopt(SO_REUSEPORT)"))?;
    }
    Ok(())
}

#[cfg(feature = "tokio")]
pub(crate) fn is_nonblocking(socket: BorrowedFd<'_>) -> io::Result<bool> {
    socket2::SockRef::from(&socket).nonblocking()
}
