//! Where reports are printed.

use std::io::{self, BufWriter, Write};

use fastopen_wire::Connection;

use super::json::Report;
use super::summary::Summary;
use super::{ladder, line};
use crate::json;
use crate::stdout::{self, Stdout};

/// What a connection looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A line a connection; several where a terminal of so many columns has no room for it.
    Lines {
        width: Option<usize>,
    },
    Ladder {
        width: usize,
    },
    Json,
}

/// Standard output in one of the formats.
pub(super) struct Output {
    format: Format,
    out: Out,
}

enum Out {
    /// Each line goes out at once: somebody may wait for it.
    Prompt(Stdout),
    /// All is there already, and the lines go out many at a time.
    Buffered(BufWriter<Stdout>),
}

impl Output {
    pub(super) fn new(format: Format, buffered: bool) -> Self {
        let out = match buffered {
            true => Out::Buffered(BufWriter::with_capacity(64 << 10, stdout::lock())),
            false => Out::Prompt(stdout::lock()),
        };
        Self { format, out }
    }

    /// Prints a connection of that capture.
    pub(super) fn connection(&mut self, connection: &Connection, file: Option<&str>) -> io::Result<()> {
        match self.format {
            Format::Lines { width } => line::write(&mut self.out, connection, width),
            Format::Ladder { width } => {
                ladder::write(&mut self.out, connection, width)?;
                self.out.write_all(b"\n")
            }
            Format::Json => json::write(&mut self.out, &Report::new(connection, file)),
        }
    }

    /// Prints the summary: among the lines for people, beside those for machines.
    pub(super) fn finish(&mut self, summary: &Summary, all_read: bool) -> io::Result<()> {
        let width = match self.format {
            Format::Json => {
                self.out.flush()?;
                // When nobody reads it there is nobody to tell.
                let _ = summary.write(&mut anstream::stderr(), None, all_read);
                return Ok(());
            }
            Format::Lines { width } => width,
            Format::Ladder { width } => Some(width),
        };
        summary.write(&mut self.out, width, all_read)?;
        self.out.flush()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Prompt(out) => out.write(bytes),
            Self::Buffered(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Prompt(out) => out.flush(),
            Self::Buffered(out) => out.flush(),
        }
    }
}
