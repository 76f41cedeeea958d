//! Captures, one after the other.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::capture::{self, Capture, CaptureError, Ending};
use super::session::Session;
use super::stop::{Stop, Stoppable};
use crate::descriptors;
use crate::hint;
use crate::printable;
use crate::status::Status;
use crate::stdout;
use crate::warning;

const STDIN: &str = "-";

/// Whether all files are regular ones: then output can be buffered, since nobody waits for single lines.
pub(super) fn is_finite(files: &[PathBuf]) -> bool {
    files
        .iter()
        .all(|file| fs::metadata(file).is_ok_and(|metadata| metadata.is_file()))
}

/// A file that is open, and its name for people.
pub(super) struct Input {
    name: String,
    /// The path as it was given.
    path: String,
    file: File,
}

/// Opens all files before anything is written, and checks that the first one is a capture.
pub(super) fn open(files: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    descriptors::raise_limit();
    let mut inputs: Vec<Input> = files
        .iter()
        .map(|path| Input::open(path))
        .collect::<anyhow::Result<_>>()?;
    if let Some(first) = inputs.first_mut() {
        first.look_at_start()?;
    }
    Ok(inputs)
}

impl Input {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let is_stdin = path == Path::new(STDIN);
        let name = if is_stdin {
            "standard input".to_owned()
        } else {
            printable::path(path)
        };
        let opened = match is_stdin {
            // Not through the standard library's buffer: poll(2) knows nothing of bytes in there.
            true => stdout::duplicate(&io::stdin()),
            false => File::open(path),
        };
        // On Windows a pipe has no metadata.
        let file = opened.and_then(
            |file| match file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                true => Err(io::ErrorKind::IsADirectory.into()),
                false => Ok(file),
            },
        );
        Ok(Self {
            path: if is_stdin {
                name.clone()
            } else {
                path.display().to_string()
            },
            file: file.with_context(|| format!("can't read {name}"))?,
            name,
        })
    }
}

impl Input {
    /// Checks that a regular file begins as a capture does. Compressed files are checked when they are read.
    fn look_at_start(&mut self) -> anyhow::Result<()> {
        if !self.file.metadata().is_ok_and(|metadata| metadata.is_file()) || self.file.stream_position()? != 0
        {
            return Ok(());
        }
        let mut start = [0; capture::GZIP.len()];
        let len = self.file.read(&mut start)?;
        self.file.rewind()?;
        if start[..len] == capture::GZIP {
            return Ok(());
        }
        let looked_at = Capture::new(&self.file).map(drop);
        looked_at.map_err(|error| explain(error, &self.name))?;
        Ok(self.file.rewind()?)
    }
}

/// Reads each of them to its end, or until the program is to stop.
pub(super) fn captures(inputs: Vec<Input>, session: &mut Session, stop: &Stop) -> anyhow::Result<Status> {
    let mut status = Status::Works;
    for Input { name, path, file } in inputs {
        let capture = Capture::new(Stoppable::new(file, stop));
        let mut capture = capture.map_err(|error| explain(error, &name))?;
        session.begin(Some(&path))?;
        loop {
            match capture.next_record() {
                Ok(Some(record)) => session.packet(&record)?,
                Ok(None) => break,
                Err(error) => return Err(error).with_context(|| format!("can't read {name}")),
            }
        }
        session.undescribed(capture.undescribed());
        session.end()?;
        if stop.requested() {
            break;
        }
        match capture.ending() {
            None | Some(Ending::Complete) => {}
            Some(ending) => {
                warning::print(format_args!("{name}: {ending}"));
                status = Status::Inconclusive;
            }
        }
    }
    Ok(status)
}

fn explain(error: CaptureError, name: &str) -> anyhow::Error {
    let can_not_read = format!("can't read {name}");
    let advice = match &error {
        CaptureError::Read(_) => return anyhow::Error::new(error).context(can_not_read),
        CaptureError::StandIn { command, .. } => format!("first turn it into the capture: {command} {name}"),
        _ => "make one with: tcpdump -w FILE 'tcp or icmp or icmp6'".to_owned(),
    };
    hint::with(anyhow::Error::new(error).context(can_not_read), advice)
}
