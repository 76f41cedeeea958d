//! The report as a person reads it.

use std::io::{self, Write};

use super::Report;
use crate::printable;
use crate::style::{BAD, BOLD, DIM, GOOD, HINT, WARNING};

/// What was changed, as a difference, or would be.
pub(super) fn report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for changed in &report.units {
        let (before, now) = (
            changed.before.as_deref().unwrap_or(""),
            changed.now.as_deref().unwrap_or(""),
        );
        let what = match (before == now, now, report.dry_run) {
            (true, "", _) => "there is no such drop-in",
            (true, ..) => "there, and nothing to change",
            (false, "", true) => "would be removed",
            (false, "", false) => "removed",
            (false, _, true) => "would be written",
            (false, _, false) => "written",
        };
        writeln!(out, "{BOLD}{}{BOLD:#}: {what}", printable::path(&changed.file))?;
        if before != now {
            for line in before
                .lines()
                .filter(|line| !now.lines().any(|other| other == *line))
            {
                writeln!(out, "{BAD}- {}{BAD:#}", printable::lines(line))?;
            }
            for line in now.lines() {
                let shown = printable::lines(line);
                match before.lines().any(|other| other == line) {
                    true => writeln!(out, "  {shown}")?,
                    false => writeln!(out, "{GOOD}+ {shown}{GOOD:#}")?,
                }
            }
        }
        for note in &changed.notes {
            writeln!(out, "{WARNING}note:{WARNING:#} {note}")?;
        }
    }
    if report.dry_run {
        return writeln!(out, "{DIM}nothing was changed (--dry-run){DIM:#}");
    }
    for command in &report.next {
        writeln!(out, "{HINT}hint:{HINT:#} {command}")?;
    }
    Ok(())
}
