//! Where reports are printed.

use std::io::{self, BufWriter, Write};

use anstream::StripStream;
use anstyle::Style;
use fastopen_wire::Connection;

use super::json::Report;
use super::line;
use super::summary::Summary;
use crate::diagram::{ladder, words};
use crate::json;
use crate::stdout::{self, Colourless, Stdout};

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
    /// Each line is written at once: somebody may wait for it.
    Prompt(Stdout),
    /// The input is complete already, and lines are written many at a time.
    Buffered(BufWriter<Stdout>),
    /// The same without colours.
    Colourless(BufWriter<Colourless>),
}

impl Output {
    pub(super) fn new(format: Format, buffered: bool) -> Self {
        const ROOM: usize = 64 << 10;
        let out = match (buffered, stdout::colourless()) {
            (true, Ok(Some(out))) => Out::Colourless(BufWriter::with_capacity(ROOM, out)),
            (true, _) => Out::Buffered(BufWriter::with_capacity(ROOM, stdout::lock())),
            (false, _) => Out::Prompt(stdout::lock()),
        };
        Self { format, out }
    }

    /// Prints a connection of that capture.
    pub(super) fn connection(&mut self, connection: &Connection, file: Option<&str>) -> io::Result<()> {
        match self.format {
            Format::Lines { width } => match &mut self.out {
                Out::Colourless(out) => line::write(out, connection, Style::new(), width),
                out => line::write(out, connection, words::style(connection.verdict), width),
            },
            Format::Ladder { width } => self.out.styled(|mut out| {
                ladder::write(&mut out, connection, width)?;
                out.write_all(b"\n")
            }),
            Format::Json => json::write(&mut self.out, &Report::new(connection, file)),
        }
    }

    /// Prints the summary: among the lines for people, beside those for machines.
    pub(super) fn finish(&mut self, summary: &Summary, all_read: bool) -> io::Result<()> {
        let width = match self.format {
            Format::Json => {
                self.out.flush()?;
                // A closed standard error is no reason to fail.
                let _ = summary.write(&mut anstream::stderr(), None, all_read);
                return Ok(());
            }
            Format::Lines { width } => width,
            Format::Ladder { width } => Some(width),
        };
        self.out
            .styled(|mut out| summary.write(&mut out, width, all_read))?;
        self.out.flush()
    }
}

impl Out {
    /// Writes what has styles, which are left out where there are to be none.
    fn styled(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Colourless(out) => write(&mut StripStream::new(out as &mut dyn Write)),
            out => write(out),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Colourless(out) => out.write(bytes),
            Self::Prompt(out) => out.write(bytes),
            Self::Buffered(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Colourless(out) => out.flush(),
            Self::Prompt(out) => out.flush(),
            Self::Buffered(out) => out.flush(),
        }
    }
}
