//! A connection's packets as a sequence diagram in a terminal.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;
use fastopen_wire::{Connection, Side, Step, Verdict};

use super::words;
use crate::style::{BOLD, DIM};
use crate::units;
use crate::width;

/// The columns left of the client's line: a mark, the time, the packet's number.
const MARGIN: usize = 21;
/// An arrow's tail or head before its words.
const BEFORE: usize = 4;
/// What is on a line beside its words: that, spaces around them, and the shortest rest of the arrow.
const AROUND: usize = BEFORE + 2 + 2;
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=120;

/// How many columns a diagram may take: as many as the terminal has, or 80 where there is none.
pub(super) fn width() -> usize {
    terminal_width().map_or(80, |columns| columns.min(*WIDTHS.end()))
}

/// How many columns the terminal has that standard output is, if it is one that says so.
pub(super) fn terminal_width() -> Option<usize> {
    width::of_terminal()
}

/// Draws a connection in so many columns; as a list where they are too few for a diagram.
pub(crate) fn write(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
    headline(out, connection, width)?;
    match width < *WIDTHS.start() {
        true => list(out, connection, width),
        false => rows(out, connection, width),
    }
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
        row(
            out,
            &Row {
                connection,
                step,
                origin,
            },
            lane,
            settles.then_some(style),
        )?;
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
fn headline(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
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
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    let notes = notes.join("; ");
    let taken = format!("{verdict}  {client} → {server}  ").chars().count();
    match notes.is_empty() {
        true => writeln!(out),
        false if taken + notes.chars().count() <= width => writeln!(out, "  {notes}"),
        false => {
            writeln!(out)?;
            for line in width::wrap(&notes, width.saturating_sub(2)) {
                writeln!(out, "  {line}")?;
            }
            Ok(())
        }
    }
}

/// Its packets as a list, each on as many lines as it needs.
fn list(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
    const INDENT: usize = 4;
    let origin = connection.steps.first().map_or(Duration::ZERO, |step| step.time);
    for step in &connection.steps {
        let settles = connection.evidence == Some(step.number);
        let style = if settles {
            words::style(connection.verdict).bold()
        } else {
            Style::new()
        };
        let mark = if settles { "▸" } else { " " };
        let arrow = if step.from == Side::Client { "→" } else { "←" };
        let time = units::time(step.time.saturating_sub(origin));
        let told = format!(
            "{time}, packet {} {arrow} {}",
            step.number,
            words::step(connection, step)
        );
        let lines = width::wrap(&told, width.saturating_sub(INDENT));
        for (index, line) in lines.iter().enumerate() {
            let before = if index == 0 { mark } else { "   " };
            writeln!(out, "{style}{before} {line}{style:#}")?;
        }
    }
    if connection.verdict == Verdict::Unanswered {
        writeln!(out, "  {DIM}no answer{DIM:#}")?;
    }
    match connection.steps_omitted {
        0 => Ok(()),
        more => writeln!(
            out,
            "  {DIM}{}{DIM:#}",
            units::count(more.into(), "more packet", "more packets")
        ),
    }
}

/// A packet, the connection that it belongs to, and when that began.
struct Row<'a> {
    connection: &'a Connection,
    step: &'a Step,
    origin: Duration,
}

/// A packet: its words above its arrow as far as they don't fit on it.
fn row(out: &mut impl Write, row: &Row<'_>, lane: usize, settles: Option<Style>) -> io::Result<()> {
    let Row {
        connection,
        step,
        origin,
    } = *row;
    let style = settles.unwrap_or_default();
    let mark = if settles.is_some() { "▸" } else { " " };
    let time = units::time(step.time.saturating_sub(origin));
    let mut lines = width::wrap(&words::step(connection, step), lane - AROUND);
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
    fn a_narrow_terminal_has_a_list() {
        for width in [30, 40, 59] {
            let text = drawn(width);
            let longest = text
                .lines()
                .filter(|line| !line.contains(" → 192"))
                .map(|line| line.chars().count())
                .max();
            assert!(
                longest.unwrap() <= width && !text.contains('│'),
                "{width}:\n{text}"
            );
        }
        insta::assert_snapshot!(drawn(40));
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
