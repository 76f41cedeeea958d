//! What Windows calls otherwise: its socket handles, error numbers, and `WSAPoll`.

use std::io;
use std::os::windows::io::{AsRawSocket, AsSocket};
use std::time::Instant;

use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::{POLLIN, POLLOUT, SOCKET, SOCKET_ERROR, WSAPOLLFD, WSAPoll};

use crate::error::CallError;

pub(crate) use std::os::windows::io::BorrowedSocket as BorrowedFd;

/// Anything with a socket: all that has [`AsSocket`]. It stands where `AsFd` does on Unix.
pub trait AsFd: AsSocket {
    /// Borrows the socket.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.as_socket()
    }
}

impl<S: AsSocket + ?Sized> AsFd for S {}

/// The system's error numbers that decisions depend on.
pub(crate) mod codes {
    use windows_sys::Win32::Networking::WinSock;

    pub(crate) const CANCELED: i32 = WinSock::WSAECANCELLED;
    pub(crate) const CONNECTION_RESET: i32 = WinSock::WSAECONNRESET;
    /// What a connect that goes on answers.
    pub(crate) const IN_PROGRESS: i32 = WinSock::WSAEWOULDBLOCK;
    pub(crate) const NOT_SUPPORTED: i32 = WinSock::WSAEOPNOTSUPP;
    pub(crate) const OUT_OF_DESCRIPTORS: [i32; 1] = [WinSock::WSAEMFILE];
}

/// Closed connections keep no address from a listener here, and `SO_REUSEADDR` would let another program take the port.
pub(crate) fn share_address(_: &Socket, reuse_port: bool) -> Result<(), CallError> {
    if reuse_port {
        return Err(CallError::from_code(
            "setsockopt(SO_REUSEPORT)",
            codes::NOT_SUPPORTED,
        ));
    }
    Ok(())
}

/// Windows does not tell. Those of the runtime never block.
#[cfg(feature = "tokio")]
pub(crate) fn is_nonblocking(_: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(true)
}

/// Waits until a socket can be written to or has failed, or until `until`. Answers which.
///
/// Before Windows 10, version 2004, `WSAPoll` says nothing of a connect that has failed, which is then noticed at `until`.
pub(crate) fn wait_writable(sockets: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Vec<bool>> {
    wait(sockets, POLLOUT, until)
}

/// Waits until there is something to read or the connection has ended, or until `until`.
pub(crate) fn wait_readable(socket: BorrowedFd<'_>, until: Instant) -> io::Result<()> {
    wait(&[socket], POLLIN, Some(until)).map(drop)
}

fn wait(sockets: &[BorrowedFd<'_>], events: i16, until: Option<Instant>) -> io::Result<Vec<bool>> {
    let timeout = super::milliseconds_until(until);
    if sockets.is_empty() {
        // `WSAPoll` refuses an empty list. The race never waits for nothing without an end.
        std::thread::sleep(std::time::Duration::from_millis(timeout.max(0) as u64));
        return Ok(Vec::new());
    }
    let mut fds: Vec<_> = sockets
        .iter()
        .map(|socket| WSAPOLLFD {
            fd: socket.as_raw_socket() as SOCKET,
            events,
            revents: 0,
        })
        .collect();
    let len = u32::try_from(fds.len()).map_err(io::Error::other)?;
    // SAFETY: `fds` is an array of `len` structures, and lives through the call.
    match unsafe { WSAPoll(fds.as_mut_ptr(), len, timeout) } {
        SOCKET_ERROR => Err(io::Error::last_os_error()),
        _ => Ok(fds.iter().map(|fd| fd.revents != 0).collect()),
    }
}
