//! The report as a file that programs read.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::time::Duration;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::patient::Patient;
use super::report::Report;
use crate::json;

/// Writes it in the place of what the file holds: it is written when the program ends, and again when all that it started has. A pipe or
/// a terminal takes one line after the other.
///
/// # Errors
/// There is no room, or nobody reads. Where a file has no room for it, it keeps what it had.
pub(super) fn write(report: &Report, file: &mut File, within: Duration) -> io::Result<()> {
    let mut text = Vec::new();
    json::line(&mut text, report)?;
    let len = text.len() as u64;
    let is_file = file.metadata()?.is_file();
    if is_file {
        match rustix::fs::fallocate(&*file, FallocateFlags::KEEP_SIZE, 0, len) {
            // Not every file system can say so beforehand.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
        file.rewind()?;
        // At once: somebody may read it while it is written for the second time.
        file.write_all(&text)?;
        return file.set_len(len);
    }
    Patient::new(&*file, within).write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::super::recorder::tests;
    use super::*;

    #[test]
    fn a_shorter_report_replaces_a_longer_one() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for complete in [false, true] {
            let report = tests::recorder().report(complete);
            write(&report, file.as_file_mut(), Duration::ZERO).unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["complete"], complete);
        }
    }
}
