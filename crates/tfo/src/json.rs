//! The convention of `--json`: one object on a line of its own. Names are in snake_case and values
//! in kebab-case; `schemas/` says what there is.

use std::io::{self, Write};

use serde::Serialize;

/// Writes one object on one line, and sends it off.
///
/// # Errors
/// Those of the output.
pub fn line(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")?;
    out.flush()
}
