//! Standard output, which may be closed early.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};

/// Standard output: without colour unless it is a terminal, and with an error of its own when the reader of a pipe goes away.
///
/// Such an error travels up like any other, and ends the program quietly. A broken pipe elsewhere is an error like any other.
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
    Stdout(anstream::stdout().lock())
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
    Ok(Some(Colourless(file)))
}

/// What [`colourless`] gives.
pub struct Colourless(File);

impl Write for Colourless {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What [`lock`] gives.
pub struct Stdout(AutoStream<io::StdoutLock<'static>>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark)
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
