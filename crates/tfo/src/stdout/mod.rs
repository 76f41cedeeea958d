//! Standard output, which may be closed early, or never read.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod pieces;

use std::fs::File;
use std::io::{self, LineWriter, Write};

use anstream::{AutoStream, ColorChoice};

use pieces::Pieces;
pub(crate) use pieces::duplicate;

/// Standard output: without colour unless it is a terminal, and with an error of its own when the reader of a pipe goes away.
///
/// Such an error travels up like any other, and ends the program quietly. A broken pipe elsewhere is an error like any other. When the
/// program is asked to stop while nobody reads what it prints, that is the same error, after [`GRACE`](crate::interrupt::GRACE).
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
    let file = duplicate(&io::stdout())?;
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
