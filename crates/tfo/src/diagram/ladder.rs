//! A connection's packets as a sequence diagram in a terminal.

use std::io::{self, Write};

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

/// Draws a connection in so many columns; as a list where they are too few for a diagram.
pub(crate) fn write(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
    headline(out, connection, width)?;
    match width < *WIDTHS.start() {
        true => list(out, connection, width),
        false => rows(out, connection, width),
    }
}

/// Draws its packets, without the verdict.
pub(crate) fn rows(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
    let lane = width.saturating_sub(MARGIN + 2).max(AROUND + 8);
    let (client, server) = ("client", "server");
    let between = lane + 2 - client.len() + 2;
    writeln!(out, "{DIM}{client:>MARGIN$}{server:>between$}{DIM:#}")?;
    for step in &connection.steps {
        row(out, connection, step, lane)?;
    }
    for line in after_the_packets(connection) {
        words_alone(out, &line, DIM, lane)?;
    }
    Ok(())
}

/// Its packets as a list, each on as many lines as it needs.
pub(crate) fn list(out: &mut impl Write, connection: &Connection, width: usize) -> io::Result<()> {
    const INDENT: usize = 4;
    for step in &connection.steps {
        let (mark, style) = emphasis(connection, step);
        let arrow = if step.from == Side::Client { "→" } else { "←" };
        let time = time(connection, step);
        let words = words::step(connection, step);
        let text = format!("{time}, packet {} {arrow} {words}", step.number);
        let lines = width::wrap(&text, width.saturating_sub(INDENT));
        for (index, line) in lines.iter().enumerate() {
            let before = if index == 0 { mark } else { "   " };
            writeln!(out, "{style}{before} {line}{style:#}")?;
        }
    }
    for line in after_the_packets(connection) {
        writeln!(out, "  {DIM}{line}{DIM:#}")?;
    }
    Ok(())
}

/// The verdict, the two ends, and what the packets do not show.
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

/// A packet: its words above its arrow as far as they don't fit on it.
fn row(out: &mut impl Write, connection: &Connection, step: &Step, lane: usize) -> io::Result<()> {
    let (mark, style) = emphasis(connection, step);
    let time = time(connection, step);
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

/// A packet's mark and style: the one that settles the verdict stands out.
fn emphasis(connection: &Connection, step: &Step) -> (&'static str, Style) {
    match connection.evidence == Some(step.number) {
        true => ("▸", words::style(connection.verdict).bold()),
        false => (" ", Style::new()),
    }
}

/// When a packet passed, counted from the first.
fn time(connection: &Connection, step: &Step) -> String {
    let origin = connection.steps.first().map_or(step.time, |first| first.time);
    units::time(step.time.saturating_sub(origin))
}

/// What is left to say below the last packet.
fn after_the_packets(connection: &Connection) -> impl Iterator<Item = String> {
    let unanswered = connection.verdict == Verdict::Unanswered;
    let omitted = u64::from(connection.steps_omitted);
    let more = (omitted > 0).then(|| units::count(omitted, "more packet", "more packets"));
    unanswered.then(|| "no answer".to_owned()).into_iter().chain(more)
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
