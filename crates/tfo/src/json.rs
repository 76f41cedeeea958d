//! The convention of `--json`: one object on a line of its own. Names are in snake_case and values
//! in kebab-case; `schemas/` says what there is.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::printable::is_hostile;
use crate::status::Status;
use crate::{program, stdout};

/// What stands in place of a report, or after the last one, where a command fails.
#[derive(Debug, Serialize)]
struct Failed {
    report: &'static str,
    error: String,
}

/// Passes a command's result on. Where it is an error and JSON was asked for, prints that as the last object on standard output.
///
/// # Errors
/// The command's own, and those of standard output.
pub fn failure_too(as_json: bool, result: anyhow::Result<Status>) -> anyhow::Result<Status> {
    match &result {
        Err(error) if as_json && !stdout::was_closed(error) => {
            let failed = Failed {
                report: "failed",
                error: program::message(error),
            };
            line(&mut stdout::lock(), &failed)?;
        }
        _ => {}
    }
    result
}

/// Writes one object on one line, and sends it off.
///
/// # Errors
/// Those of the output.
pub fn line(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    write(out, object)?;
    out.flush()
}

/// Writes one object on one line.
///
/// # Errors
/// Those of the output.
pub fn write(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    object.serialize(&mut Serializer::with_formatter(&mut *out, Harmless))?;
    out.write_all(b"\n")
}

/// Compact JSON in which characters that a terminal obeys are escaped, also those that JSON itself lets stand.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_hostile(*character)) {
            out.write_all(&rest.as_bytes()[..at])?;
            write!(out, "\\u{:04x}", u32::from(character))?;
            rest = &rest[at + character.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_characters_are_escaped_and_come_back() {
        let name = "\x1b[2J\u{9b}\u{7f}\u{202e}größe \"a\"\n";
        let mut text = Vec::new();
        line(&mut text, &name).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.trim_end().contains(is_hostile), "{text:?}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}
