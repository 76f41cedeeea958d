//! Stopping while it waits for bytes that may never come.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::interrupt::Interrupt;

/// The request to stop, as a descriptor: it becomes readable.
#[derive(Debug)]
pub(super) struct Stop(UnixStream);

impl Stop {
    /// Begins to listen for signals; from then on Ctrl-C does not end the program by itself.
    pub(super) fn listen() -> io::Result<Self> {
        let (request, other_end) = UnixStream::pair()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut interrupt = runtime.block_on(async { Interrupt::new() })?;
        thread::spawn(move || {
            runtime.block_on(interrupt.stop_requested());
            // Closing this end makes the other one readable.
            drop(other_end);
        });
        Ok(Self(request))
    }

    pub(super) fn requested(&self) -> bool {
        matches!(ready([self.0.as_fd()], Some(Duration::ZERO)), Ok([true]))
    }

    /// Waits for the descriptor, the request, a signal, or so long; whether the descriptor is readable.
    pub(super) fn wait(&self, fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
        ready([fd, self.0.as_fd()], timeout).map(|[fd, _]| fd)
    }
}

/// Which of them became readable; none if a signal interrupted the wait.
fn ready<const N: usize>(fds: [BorrowedFd<'_>; N], timeout: Option<Duration>) -> io::Result<[bool; N]> {
    let timeout = timeout
        .map(Timespec::try_from)
        .transpose()
        .map_err(io::Error::other)?;
    let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    match poll(&mut fds, timeout.as_ref()) {
        Err(rustix::io::Errno::INTR) => Ok([false; N]),
        polled => polled
            .map(|_| fds.map(|fd| !fd.revents().is_empty()))
            .map_err(Into::into),
    }
}

/// A stream that ends when the program is to stop.
pub(super) struct Stoppable<'s, R> {
    input: R,
    stop: &'s Stop,
}

impl<'s, R> Stoppable<'s, R> {
    pub(super) fn new(input: R, stop: &'s Stop) -> Self {
        Self { input, stop }
    }
}

impl<R: Read + AsFd> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // A signal interrupts the wait before the thread above has closed its end.
            let readable = self.stop.wait(self.input.as_fd(), None)?;
            if self.stop.requested() {
                return Ok(0);
            }
            if readable {
                return self.input.read(buffer);
            }
        }
    }
}
