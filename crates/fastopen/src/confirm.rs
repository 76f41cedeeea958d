//! Waiting for the proof that a client is where it says.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use fastopen_host::TcpState;

use crate::sys::{self, EdgeWaiter};

/// Waits until the client has completed the handshake of an accepted connection, and so proved its address.
///
/// On a fast connection the request is there before that: replay-safe work can be done at once, and everything else after this.
/// A replayed SYN never confirms; the wait ends with an error when the kernel gives up the handshake, after two minutes or
/// [what the listener says](crate::ListenOptions::with_handshake_timeout). On an ordinary connection it returns at once.
///
/// Nothing is taken away from others who read, write or poll the same socket.
///
/// # Errors
/// [`io::ErrorKind::ConnectionAborted`] when the handshake ended without the client's proof, or the connection is over already.
/// [`io::ErrorKind::InvalidInput`] for a socket that is not the server's end of a connection.
///
/// # Examples
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let listener = fastopen::listen("127.0.0.1:0")?;
/// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (stream, _) = listener.accept()?;
/// fastopen::confirmed(&stream)?;
/// // The client is real: what it asked for may have consequences.
/// # Ok(())
/// # }
/// ```
///
/// # Platform notes
/// Linux. Elsewhere the system does not tell, which is an error of the kind [`io::ErrorKind::Unsupported`].
pub fn confirmed(stream: &impl AsFd) -> io::Result<()> {
    let socket = stream.as_fd();
    if is_confirmed(socket)? {
        return Ok(());
    }
    let change = EdgeWaiter::new(socket)?;
    while !is_confirmed(socket)? {
        change.wait(look_again_after(socket)?)?;
    }
    Ok(())
}

/// Whether the handshake is complete; an error when it never will be.
pub(crate) fn is_confirmed(socket: BorrowedFd<'_>) -> io::Result<bool> {
    match sys::tcp_info(socket)?.state() {
        Some(TcpState::SynRecv) => Ok(false),
        Some(TcpState::Close) => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the connection ended; nothing proves that the client had confirmed it",
        )),
        Some(TcpState::SynSent | TcpState::Listen) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "only the server's end of a connection can be confirmed",
        )),
        _ => Ok(true),
    }
}

/// How long to wait for an event before looking again.
///
/// The socket becomes writable anew when the handshake completes, which is an edge for epoll; but not while its send buffer is full,
/// and then nothing tells. The buffer may fill at any time, so the wait is never unlimited.
pub(crate) fn look_again_after(socket: BorrowedFd<'_>) -> io::Result<Duration> {
    const NO_EDGE_WILL_COME: Duration = Duration::from_millis(5);
    const AN_EDGE_WILL_COME: Duration = Duration::from_millis(100);
    let writable = sys::wait_writable(&[socket], Some(std::time::Instant::now()))?;
    Ok(if writable[0] {
        AN_EDGE_WILL_COME
    } else {
        NO_EDGE_WILL_COME
    })
}
