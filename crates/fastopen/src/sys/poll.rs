//! `poll(2)`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

use libc::{POLLIN, POLLOUT, c_short, nfds_t, pollfd};

use super::milliseconds_until;

/// Waits until a socket can be written to or has failed, or until `until`. Answers which.
///
/// A signal does not end the wait.
pub(crate) fn wait_writable(sockets: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Vec<bool>> {
    wait(sockets, POLLOUT, until)
}

/// Waits until there is something to read or the connection has ended, or until `until`.
pub(crate) fn wait_readable(socket: BorrowedFd<'_>, until: Instant) -> io::Result<()> {
    wait(&[socket], POLLIN, Some(until)).map(drop)
}

fn wait(sockets: &[BorrowedFd<'_>], events: c_short, until: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut fds: Vec<_> = sockets
        .iter()
        .map(|socket| pollfd {
            fd: socket.as_raw_fd(),
            events,
            revents: 0,
        })
        .collect();
    loop {
        // SAFETY: `fds` is an array of as many `pollfd` as it is said to be, and lives through the call.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as nfds_t, milliseconds_until(until)) };
        if ready >= 0 {
            return Ok(fds.iter().map(|fd| fd.revents != 0).collect());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
