//! Standard output, which may be closed early, or never read.

use std::fs::File;
use std::io::{self, LineWriter, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::interrupt::{self, GRACE};

/// Standard output: without colour unless it is a terminal, and with an error of its own when the reader of a pipe goes away.
///
/// Such an error travels up like any other, and ends the program quietly. A broken pipe elsewhere is an error like any other. When the
/// program is asked to stop while nobody reads what it prints, that is the same error, after [`GRACE`].
///
/// ```
/// use std::io::Write;
/// use tfo::style::GOOD;
///
/// # fn main() -> anyhow::Result<()> {
/// let mut out = tfo::stdout::lock();
/// writeln!(out, "{GOOD}accepted{GOOD:#}")?;
/// # Ok(())
/// # }
/// ```
pub fn lock() -> Stdout {
    let lines: Box<dyn Write> = Box::new(LineWriter::new(Pieces::new(io::stdout().lock())));
    Stdout(AutoStream::new(lines, AutoStream::choice(&io::stdout())))
}

/// Standard output for very many lines, without a system call for each; what is written must have no colour. `None` where it is to
/// have colours, as on a terminal.
///
/// # Errors
/// Standard output is closed.
pub fn colourless() -> io::Result<Option<Colourless>> {
    if AutoStream::choice(&io::stdout()) != ColorChoice::Never {
        return Ok(None);
    }
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok(Some(Colourless(Pieces::new(file))))
}

/// What [`colourless`] gives.
pub struct Colourless(Pieces<File>);

impl Write for Colourless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What [`lock`] gives.
pub struct Stdout(AutoStream<Box<dyn Write>>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark)
    }
}

/// Writes in pieces, so that it can give up once a stop is requested. Nothing is left in the standard library's own buffer, which it
/// would write out at the end of the process, and wait for the reader.
struct Pieces<F> {
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
    fn new(out: F) -> Self {
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

/// Whether the error is that nobody reads standard output any more.
pub fn was_closed(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>()?.get_ref())
        .any(|inner| inner.downcast_ref::<Closed>().is_some())
}

/// Names standard output in an error of writing to it, and turns a broken pipe into the error that ends the program quietly.
pub fn mark(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, Closed),
        kind => io::Error::new(kind, format!("writing to standard output: {error}")),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
struct Closed;

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn only_standard_output_ends_the_program_quietly() {
        let broken = || io::Error::from_raw_os_error(32);
        let ours = Err::<(), _>(mark(broken()))
            .context("writing the report")
            .unwrap_err();
        assert!(was_closed(&ours));
        assert!(!was_closed(&broken().into()), "this one may be a socket");
    }
}
