//! A connection's packets as a sequence diagram in a terminal.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;
use fastopen_wire::{Connection, Side, Step, Verdict};

use super::words;
use crate::style::{BOLD, DIM};
use crate::units;

/// The columns left of the client's line: a mark, the time, the packet's number.
const MARGIN: usize = 21;
/// An arrow's tail or head before its words.
const BEFORE: usize = 4;
/// What is on a line beside its words: that, spaces around them, and the shortest rest of the arrow.
const AROUND: usize = BEFORE + 2 + 2;
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=120;

/// How many columns a diagram may take: as many as the terminal has, or 80 where there is none.
pub(crate) fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    match columns {
        0 => 80,
        columns => columns.clamp(*WIDTHS.start(), *WIDTHS.end()),
    }
}

/// Draws a connection in so many columns.
pub(crate) fn write(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
    headline(out, connection)?;
    rows(out, connection, width)
}

/// Draws its packets alone.
pub(crate) fn rows(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
    let lane = width.saturating_sub(MARGIN + 2).max(AROUND + 8);
    let (client, server) = ("client", "server");
    let between = lane + 2 - client.len() + 2;
    writeln!(out, "{DIM}{client:>MARGIN$}{server:>between$}{DIM:#}")?;
    let origin = connection.steps.first().map_or(Duration::ZERO, |step| step.time);
    for step in &connection.steps {
        let settles = connection.evidence == Some(step.number);
        let style = if settles {
            words::style(connection.verdict).bold()
        } else {
            Style::new()
        };
        row(out, step, origin, lane, settles.then_some(style))?;
    }
    if connection.verdict == Verdict::Unanswered {
        words_alone(out, "no answer", DIM, lane)?;
    }
    match connection.steps_omitted {
        0 => Ok(()),
        more => {
            let more = units::count(more.into(), "more packet", "more packets");
            words_alone(out, &more, DIM, lane)
        }
    }
}

/// The verdict, between whom, and what the packets do not show.
fn headline(out: &mut impl Write, connection: &Connection) -> io::Result<()> {
    let Connection {
        client,
        server,
        verdict,
        notes,
        ..
    } = connection;
    let style = words::style(*verdict);
    write!(
        out,
        "{style}{verdict}{style:#}  {BOLD}{client} → {server}{BOLD:#}"
    )?;
    for (index, note) in notes.iter().enumerate() {
        let separator = if index == 0 { "  " } else { "; " };
        write!(out, "{separator}{note}")?;
    }
    writeln!(out)
}

/// A packet: its words above its arrow as far as they don't fit on it.
fn row(
    out: &mut impl Write,
    step: &Step,
    origin: Duration,
    lane: usize,
    settles: Option<Style>,
) -> io::Result<()> {
    let style = settles.unwrap_or_default();
    let mark = if settles.is_some() { "▸" } else { " " };
    let time = units::time(step.time.saturating_sub(origin));
    let mut lines = words::wrap(&step.to_string(), lane - AROUND);
    let last = lines.pop().unwrap_or_default();
    for line in lines {
        words_alone(out, &line, style, lane)?;
    }
    let number = step.number;
    write!(out, "{style}{mark}{style:#}{DIM}{time:>10} {number:>7}{DIM:#}  ")?;
    let rest = lane - BEFORE - 2 - last.chars().count();
    let (before, after) = match step.from {
        Side::Client => ("────", format!("{}▶", "─".repeat(rest - 1))),
        Side::Server => ("◀───", "─".repeat(rest)),
    };
    writeln!(out, "│{before} {style}{last}{style:#} {after}│")
}

fn words_alone(out: &mut impl Write, words: &str, style: Style, lane: usize) -> io::Result<()> {
    let room = lane - BEFORE - 1;
    writeln!(
        out,
        "{:MARGIN$}│{:BEFORE$} {style}{words:<room$}{style:#}│",
        "", ""
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn drawn(width: usize) -> String {
        let mut text = Vec::new();
        for connection in sample::connections() {
            write(&mut anstream::StripStream::new(&mut text), &connection, width).unwrap();
            text.push(b'\n');
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_terminal_of_80_columns() {
        insta::assert_snapshot!(drawn(80));
    }

    #[test]
    fn long_sentences_are_broken() {
        insta::assert_snapshot!(drawn(60));
    }

    #[test]
    fn both_lines_stand_in_their_columns_whatever_the_width() {
        for width in WIDTHS {
            for line in drawn(width).lines().filter(|line| line.contains('│')) {
                let columns: Vec<usize> = line
                    .chars()
                    .enumerate()
                    .filter(|(_, c)| *c == '│')
                    .map(|(column, _)| column)
                    .collect();
                assert_eq!(columns, [MARGIN, width - 1], "{width}: {line}");
            }
        }
    }
}
