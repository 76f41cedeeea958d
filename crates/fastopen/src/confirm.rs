//! Waiting for the proof that a client is where it says.

use std::io;
use std::time::{Duration, Instant};

use fastopen_host::TcpState;

use crate::sys::{self, AsFd, BorrowedFd, EdgeWaiter};
use crate::tcp_info::TcpInfo;

/// Waits until the client has completed the handshake of an accepted connection, and so proved its address.
///
/// On a fast connection the request is there before that: replay-safe work can be done at once, and everything else after this.
/// A replayed SYN never confirms; the wait ends with an error when the kernel gives up the handshake, after 15 seconds or
/// [what the listener says](crate::ListenOptions::with_handshake_timeout). [`confirmed_within`] has a limit of its own. On an ordinary
/// connection it returns at once.
///
/// Nothing is taken away from others who read, write or poll the same socket.
///
/// # Errors
/// [`io::ErrorKind::ConnectionAborted`] when the connection ended without the client's proof.
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
///
/// The connection's state is the proof: it stays `SYN_RECV` until the client's ACK. Two states do not tell by themselves: `CLOSE`, and
/// `FIN_WAIT1`, which `shutdown` entered without an ACK until Linux 6.9 (and 6.1.91, 6.6.31, 6.8.10). There
/// [`TcpInfo::delivered`](crate::TcpInfo::delivered) decides (Linux 4.18). Seen on 6.1.192, on 6.18, and on a 6.1 with the older
/// `shutdown`.
pub fn confirmed(stream: &impl AsFd) -> io::Result<()> {
    wait(stream.as_fd(), None)
}

/// Waits as [`confirmed`] does, and at most for that time.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] when the time is over and the client has not proved its address. As for [`confirmed`] otherwise.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = fastopen::listen("127.0.0.1:0")?;
/// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (stream, _) = listener.accept()?;
/// fastopen::confirmed_within(&stream, Duration::from_secs(5))?;
/// # Ok(())
/// # }
/// ```
///
/// # Platform notes
/// As for [`confirmed`].
pub fn confirmed_within(stream: &impl AsFd, time: Duration) -> io::Result<()> {
    // A time beyond what the clock can tell is no limit.
    wait(stream.as_fd(), Instant::now().checked_add(time))
}

fn wait(socket: BorrowedFd<'_>, until: Option<Instant>) -> io::Result<()> {
    if is_confirmed(socket)? {
        return Ok(());
    }
    let change = EdgeWaiter::new(socket)?;
    while !is_confirmed(socket)? {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client has not proved its address in time",
            ));
        }
        let look_again = look_again_after(socket)?;
        change.wait(left.map_or(look_again, |left| left.min(look_again)))?;
    }
    Ok(())
}

/// Whether the handshake is complete; an error when it never will be.
pub(crate) fn is_confirmed(socket: BorrowedFd<'_>) -> io::Result<bool> {
    match proof(&sys::tcp_info(socket)?) {
        Proof::Given => Ok(true),
        Proof::Awaited => Ok(false),
        Proof::Never => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the connection ended; nothing proves that the client had confirmed it",
        )),
        Proof::NotAServers => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "only the server's end of a connection can be confirmed",
        )),
    }
}

/// What a connection's state says of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Given,
    Awaited,
    /// The connection has ended without it.
    Never,
    NotAServers,
}

pub(crate) fn proof(info: &TcpInfo) -> Proof {
    let acknowledged = info.delivered().is_some_and(|segments| segments > 0);
    match info.state() {
        Some(TcpState::SynRecv) => Proof::Awaited,
        // Before Linux 6.9 `shutdown` led here from SYN_RECV.
        Some(TcpState::FinWait1) if !acknowledged => Proof::Awaited,
        Some(TcpState::Close) if !acknowledged => Proof::Never,
        Some(TcpState::SynSent | TcpState::Listen) => Proof::NotAServers,
        _ => Proof::Given,
    }
}

/// How long to wait for an event before looking again.
///
/// The socket becomes writable again when the handshake completes, which is an edge for epoll; but not while its send buffer is full,
/// and then nothing tells. The buffer may fill at any time, so the wait is never unlimited.
pub(crate) fn look_again_after(socket: BorrowedFd<'_>) -> io::Result<Duration> {
    const NO_EDGE_WILL_COME: Duration = Duration::from_millis(5);
    const AN_EDGE_WILL_COME: Duration = Duration::from_millis(100);
    let writable = sys::wait_writable(&[socket], Some(Instant::now()))?;
    Ok(if writable[0] {
        AN_EDGE_WILL_COME
    } else {
        NO_EDGE_WILL_COME
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States by their number in Linux.
    fn proof_of(state: u8, delivered: u8) -> Proof {
        let mut bytes = [0; 232];
        (bytes[0], bytes[192]) = (state, delivered);
        proof(&TcpInfo::from_bytes(&bytes))
    }

    #[test]
    fn no_state_that_a_syn_alone_leads_to_is_a_proof() {
        const SYN_RECV: u8 = 3;
        const FIN_WAIT1: u8 = 4;
        const CLOSE: u8 = 7;
        assert_eq!(proof_of(SYN_RECV, 0), Proof::Awaited);
        assert_eq!(proof_of(FIN_WAIT1, 0), Proof::Awaited);
        assert_eq!(proof_of(CLOSE, 0), Proof::Never);
        assert_eq!(proof_of(FIN_WAIT1, 1), Proof::Given);
        assert_eq!(proof_of(CLOSE, 1), Proof::Given);
        // ESTABLISHED, FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, LAST_ACK and CLOSING take the client's ACK.
        for state in [1, 5, 6, 8, 9, 11] {
            assert_eq!(proof_of(state, 1), Proof::Given, "{state}");
        }
        // SYN_SENT and LISTEN.
        for state in [2, 10] {
            assert_eq!(proof_of(state, 0), Proof::NotAServers, "{state}");
        }
    }

    #[test]
    fn a_kernel_that_does_not_count_leaves_it_at_the_state() {
        let older = |state| proof(&TcpInfo::from_bytes(&[state; 1]));
        assert_eq!([older(1), older(3)], [Proof::Given, Proof::Awaited]);
        assert_eq!([older(4), older(7)], [Proof::Awaited, Proof::Never]);
    }
}
