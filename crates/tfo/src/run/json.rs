//! The report as a file that programs read.

use std::fs::{File, Metadata};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, SystemTime};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::patient::Patient;
use super::report::Report;
use crate::json;

/// The file, or pipe or terminal, that takes reports.
pub(super) struct ReportFile {
    file: File,
    /// When it was modified, and how long it was, after the last report.
    written: Option<(SystemTime, u64)>,
}

impl ReportFile {
    pub(super) fn new(file: File) -> Self {
        Self { file, written: None }
    }

    /// Writes it in the place of what the file holds: it is written when the program ends, and again when all that it started has. What
    /// somebody else has written since then, such as a later run, stays. A pipe or a terminal takes one line after the other.
    ///
    /// # Errors
    /// There is no room, or nobody reads. Where a file has no room for it, it keeps what it had.
    pub(super) fn write(&mut self, report: &Report, within: Duration) -> io::Result<()> {
        let mut text = Vec::new();
        json::line(&mut text, report)?;
        let found = self.file.metadata()?;
        if !found.is_file() {
            return Patient::new(&self.file, within).write_all(&text);
        }
        if self
            .written
            .is_some_and(|written| stamp(&found).ok() != Some(written))
        {
            return Ok(());
        }
        let len = text.len() as u64;
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, len) {
            // Not every file system can say so beforehand.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        self.file.rewind()?;
        // At once: somebody may read it while it is written for the second time.
        self.file.write_all(&text)?;
        self.file.set_len(len)?;
        self.written = Some(stamp(&self.file.metadata()?)?);
        Ok(())
    }
}

fn stamp(metadata: &Metadata) -> io::Result<(SystemTime, u64)> {
    Ok((metadata.modified()?, metadata.len()))
}

impl AsRawFd for ReportFile {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorder::tests;
    use super::*;

    #[test]
    fn a_shorter_report_replaces_a_longer_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut reports = ReportFile::new(file.reopen().unwrap());
        for complete in [false, true] {
            let report = tests::recorder().report(complete);
            reports.write(&report, Duration::ZERO).unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["complete"], complete);
        }
    }

    #[test]
    fn a_later_run_s_report_stays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut reports = ReportFile::new(file.reopen().unwrap());
        let report = tests::recorder().report(false);
        reports.write(&report, Duration::ZERO).unwrap();
        std::fs::write(file.path(), "of a later run").unwrap();
        reports.write(&report, Duration::ZERO).unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "of a later run");
    }
}
