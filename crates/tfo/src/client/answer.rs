//! Where the answer goes.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::mem;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::io::AsyncWriteExt;

use crate::output::{self, Access, OutputFile};
use crate::{printable, stdout};

/// Where the answer goes.
#[derive(Debug)]
pub(crate) struct Answer {
    place: Place,
    ends_a_line: bool,
}

#[derive(Debug)]
enum Place {
    Stdout(tokio::io::Stdout),
    /// The file has what it had before until there is a connection.
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
    pub(crate) fn stdout() -> Self {
        Self::new(Place::Stdout(tokio::io::stdout()))
    }

    /// Into a file. What is in it stays there until there is a connection.
    pub(crate) fn file(path: &Path) -> anyhow::Result<Self> {
        output::refuse_same([Path::new("-")], [path])?;
        let file = OutputFile::open(path, Access::Anybody)?;
        Ok(Self::new(Place::Untouched(file, path.to_owned())))
    }

    /// It is only counted.
    pub(crate) fn nowhere() -> Self {
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
    pub(crate) fn left_an_open_line(&self) -> bool {
        matches!(self.place, Place::Stdout(_)) && !self.ends_a_line && io::stdout().is_terminal()
    }

    /// There is a connection: a file loses what it had; further answers are added to it.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        self.place = match mem::replace(&mut self.place, Place::Nowhere) {
            Place::Untouched(file, path) => Place::File(file.begin()?, path),
            other => other,
        };
        Ok(())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.ends_a_line = bytes.ends_with(b"\n");
        match &mut self.place {
            Place::Stdout(out) => write_and_flush(out, bytes).await.map_err(stdout::mark)?,
            Place::File(file, path) => {
                file.write_all(bytes)
                    .with_context(|| format!("writing to {}", printable::path(path)))?;
            }
            Place::Memory(kept) => kept.extend_from_slice(bytes),
            Place::Untouched(..) | Place::Nowhere => {}
        }
        Ok(())
    }
}

async fn write_and_flush(out: &mut tokio::io::Stdout, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes).await?;
    out.flush().await
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_file_keeps_what_is_in_it_until_there_is_a_connection() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "yesterday's, and longer").unwrap();
        for path in [&old, &new] {
            drop(Answer::file(path).unwrap());
        }
        assert_eq!(fs::read(&old).unwrap(), b"yesterday's, and longer");
        assert!(!new.exists());
        for path in [&old, &new] {
            let mut answer = Answer::file(path).unwrap();
            for part in ["one ", "two"] {
                answer.begin().unwrap();
                answer.write(part.as_bytes()).await.unwrap();
            }
            assert_eq!(fs::read(path).unwrap(), b"one two");
        }
        assert!(Answer::file(&folder.path().join("no/such")).is_err());
        assert!(Answer::file(folder.path()).is_err(), "a folder");
    }
}
