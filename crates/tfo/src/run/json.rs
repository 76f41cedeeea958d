//! The report as a file that programs read.

use std::fs::File;
use std::io::{self, Seek};

use super::report::Report;
use crate::json;

/// Writes it in the place of what the file holds: it is written when the program ends, and again when all that it started has.
pub(super) fn write(report: &Report, file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    json::line(file, report)
}
