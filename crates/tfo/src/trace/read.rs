//! Captures, one after the other.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::capture::{Capture, CaptureError, Ending};
use super::session::Session;
use super::stop::{Stop, Stoppable};
use crate::hint::{self, Hint};
use crate::status::Status;
use crate::warning;

const STDIN: &str = "-";

/// Whether all of it is there already, so that nobody waits for the lines.
pub(super) fn is_finite(files: &[PathBuf]) -> bool {
    files
        .iter()
        .all(|file| fs::metadata(file).is_ok_and(|metadata| metadata.is_file()))
}

/// Refuses to write to a file that is to be read.
pub(super) fn refuse_to_overwrite(files: &[PathBuf], written: &Path) -> anyhow::Result<()> {
    let same = |file: &PathBuf| {
        let [one, other] = [fs::metadata(file).ok()?, fs::metadata(written).ok()?];
        Some((one.dev(), one.ino()) == (other.dev(), other.ino()) && one.is_file())
    };
    if files.iter().any(|file| same(file) == Some(true)) {
        let error = anyhow!("{} is both read and written", written.display());
        return Err(error).hint("choose another file to write to");
    }
    Ok(())
}

/// Reads each of them to its end, or until the program is to stop.
pub(super) fn captures(files: &[PathBuf], session: &mut Session, stop: &Stop) -> anyhow::Result<Status> {
    let mut status = Status::Works;
    for file in files {
        let name = match file.to_str() {
            Some(STDIN) => "standard input".to_owned(),
            _ => file.display().to_string(),
        };
        let mut capture = open(file, stop).with_context(|| format!("can't read {name}"))?;
        session.begin(Some(&name))?;
        while let Some(record) = capture
            .next_record()
            .with_context(|| format!("can't read {name}"))?
        {
            session.packet(&record)?;
        }
        session.end()?;
        if stop.wished() {
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

fn open<'s>(file: &Path, stop: &'s Stop) -> anyhow::Result<Capture<'s>> {
    let input = match file.to_str() {
        // Not through the standard library's buffer: bytes in there are none that a descriptor waits for.
        Some(STDIN) => File::from(io::stdin().as_fd().try_clone_to_owned()?),
        _ => File::open(file)?,
    };
    Capture::new(Stoppable::new(input, stop)).map_err(|error| match error {
        CaptureError::Read(_) => error.into(),
        _ => hint::with(error, "make one with: tcpdump -w FILE tcp"),
    })
}
