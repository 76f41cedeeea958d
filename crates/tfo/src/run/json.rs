//! The report as a file that programs read.

use std::fs::File;
use std::io::{self, BufWriter, Seek};

use super::report::Report;
use crate::json;

/// Writes it in the place of what the file holds: it is written when the program ends, and again when all that it started has. A pipe or
/// a terminal takes one line after the other.
pub(super) fn write(report: &Report, file: &mut File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
        file.rewind()?;
    }
    json::line(&mut BufWriter::new(file), report)
}
