//! Writing where the reader may never read.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::interrupt::{self, GRACE};

/// The same, without the standard library's buffer in between.
pub(crate) fn duplicate(stream: &impl AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

/// Writes in pieces, so that it can give up once a stop is requested. Nothing is left in the standard library's own buffer, which it
/// would write out at the end of the process, and wait for the reader.
pub(super) struct Pieces<F> {
    out: F,
    /// Whether a write can wait for a reader, as it can't where output goes to a file.
    may_wait: bool,
    /// When a stop request was noticed while nobody read.
    stopping_since: Option<Instant>,
}

/// `PIPE_BUF`: a pipe that poll(2) reports as writable takes so much without blocking (pipe(7)).
const PIECE: usize = 4096;
/// How often to look for a stop request while nobody reads.
const PAUSE: Duration = Duration::from_millis(100);

impl<F: AsFd> Write for Pieces<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Where the first signal ends the process there is nothing to look for.
        if !self.may_wait || !interrupt::is_caught() {
            return Ok(rustix::io::write(&self.out, bytes)?);
        }
        let mut written = 0;
        for piece in bytes.chunks(PIECE) {
            match self.write_piece(piece) {
                Ok(n) => written += n,
                // It happens again with the next call.
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
            if written % PIECE != 0 {
                break;
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<F: AsFd> Pieces<F> {
    pub(super) fn new(out: F) -> Self {
        let kind = fstat(&out).map(|stat| FileType::from_raw_mode(stat.st_mode));
        Self {
            out,
            may_wait: kind != Ok(FileType::RegularFile),
            stopping_since: None,
        }
    }

    fn write_piece(&mut self, piece: &[u8]) -> io::Result<usize> {
        while !self.is_writable()? {
            if interrupt::is_requested()
                && self.stopping_since.get_or_insert_with(Instant::now).elapsed() >= GRACE
            {
                return Err(Errno::PIPE.into());
            }
        }
        self.stopping_since = None;
        Ok(rustix::io::write(&self.out, piece)?)
    }

    /// Waits for that; not for longer than [`PAUSE`].
    fn is_writable(&self) -> io::Result<bool> {
        let pause = Timespec::try_from(PAUSE).map_err(io::Error::other)?;
        let mut fds = [PollFd::from_borrowed_fd(self.out.as_fd(), PollFlags::OUT)];
        match poll(&mut fds, Some(&pause)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
