//! Where the answer goes.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::mem;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::io::AsyncWriteExt;

use crate::output::{self, Access, OutputFile};
use crate::printable;
use crate::stdout;

/// Where the answer goes.
#[derive(Debug)]
pub(crate) struct Answer {
    place: Place,
    ends_a_line: bool,
}

#[derive(Debug)]
enum Place {
    Stdout(tokio::io::Stdout),
    /// The file has what it had before until the answer begins.
    Untouched(OutputFile, PathBuf),
    File(File, PathBuf),
    Memory(Vec<u8>),
    Nowhere,
}

impl Answer {
    fn new(place: Place) -> Self {
        Self {
            place,
            ends_a_line: true,
        }
    }

    /// To standard output, byte by byte as it is.
    pub(super) fn stdout() -> Self {
        Self::new(Place::Stdout(tokio::io::stdout()))
    }

    /// Into a new file.
    pub(super) fn file(path: &Path) -> anyhow::Result<Self> {
        output::refuse_same([Path::new("-")], [path])?;
        let file = OutputFile::open(path, Access::Anybody)?;
        Ok(Self::new(Place::Untouched(file, path.to_owned())))
    }

    /// An answer comes, if only an empty one: a file loses what it had.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        self.place = match mem::replace(&mut self.place, Place::Nowhere) {
            Place::Untouched(file, path) => Place::File(file.begin()?, path),
            other => other,
        };
        Ok(())
    }

    /// It is only counted.
    pub(super) fn nowhere() -> Self {
        Self::new(Place::Nowhere)
    }

    /// It is kept.
    pub(crate) fn memory() -> Self {
        Self::new(Place::Memory(Vec::new()))
    }

    /// What was kept.
    pub(crate) fn kept(&self) -> &[u8] {
        match &self.place {
            Place::Memory(bytes) => bytes,
            _ => &[],
        }
    }

    /// Whether a report would begin in the middle of a line that the answer left on the terminal.
    pub(super) fn left_an_open_line(&self) -> bool {
        matches!(self.place, Place::Stdout(_)) && !self.ends_a_line && io::stdout().is_terminal()
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.begin()?;
        self.ends_a_line = bytes.ends_with(b"\n");
        match &mut self.place {
            Place::Stdout(out) => write_and_flush(out, bytes).await.map_err(stdout::mark)?,
            Place::File(file, path) => {
                file.write_all(bytes)
                    .with_context(|| format!("writing to {}", printable::path(path)))?;
            }
            Place::Memory(kept) => kept.extend_from_slice(bytes),
            Place::Nowhere | Place::Untouched(..) => {}
        }
        Ok(())
    }
}

async fn write_and_flush(out: &mut tokio::io::Stdout, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes).await?;
    out.flush().await
}
