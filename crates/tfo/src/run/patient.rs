//! Writing to whoever may not read: the supervisor's programs wait while it writes.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a pipe takes at once if it takes anything (`PIPE_BUF`).
const PART: usize = 4096;

/// Writes to this file until a time is over; then it fails.
pub(super) struct Patient<F> {
    file: F,
    deadline: Instant,
}

impl<F: AsFd> Patient<F> {
    pub(super) fn new(file: F, within: Duration) -> Self {
        let deadline = Instant::now() + within;
        Self { file, deadline }
    }
}

impl<F: AsFd> Write for Patient<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let within = self.deadline.saturating_duration_since(Instant::now());
        match takes_more(&self.file, within) {
            true => Ok(rustix::io::write(&self.file, &bytes[..bytes.len().min(PART)])?),
            false => Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads it")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the file takes something within this time, whoever reads it: a full pipe and a stopped terminal do not.
pub(super) fn takes_more(file: impl AsFd, within: Duration) -> bool {
    let mut waited = [PollFd::new(&file, PollFlags::OUT)];
    let within = Timespec::try_from(within).ok();
    poll(&mut waited, within.as_ref()).is_ok() && !waited[0].revents().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_pipe_is_given_up() {
        let (_reader, writer) = io::pipe().unwrap();
        let mut patient = Patient::new(&writer, Duration::from_millis(20));
        let error = patient.write_all(&[0; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
