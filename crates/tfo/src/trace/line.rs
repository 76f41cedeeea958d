//! One line a connection.

use std::io::{self, Write};

use fastopen_wire::Connection;

use super::words;

/// Where the lines behind the first begin, where there are several.
const INDENT: usize = 4;

/// Writes a line; on a terminal of so many columns, several where it has no room for it.
pub(super) fn write(out: &mut impl Write, connection: &Connection, width: Option<usize>) -> io::Result<()> {
    let Connection {
        client,
        server,
        verdict,
        ..
    } = connection;
    let style = words::style(*verdict);
    let reason = words::reason(connection);
    let ends = format!("{client} → {server}");
    write!(out, "{style}{verdict:<18}{style:#}  {ends}")?;
    let first = 18 + 2 + ends.chars().count() + 2;
    match width {
        Some(width) if first + reason.chars().count() > width => {
            writeln!(out)?;
            for line in words::wrap(&reason, width.saturating_sub(INDENT)) {
                writeln!(out, "{:INDENT$}{line}", "")?;
            }
            Ok(())
        }
        _ => writeln!(out, "  {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    fn written(width: Option<usize>) -> String {
        let mut text = Vec::new();
        for connection in sample::connections() {
            super::write(&mut anstream::StripStream::new(&mut text), &connection, width).unwrap();
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn each_verdict_comes_with_its_evidence() {
        insta::assert_snapshot!(written(None));
    }

    #[test]
    fn a_terminal_has_no_longer_lines_than_it_shows() {
        for width in [40, 60, 80] {
            let text = written(Some(width));
            // The ends of a connection stay on one line, whatever they are.
            let longest = text
                .lines()
                .filter(|line| !line.contains('→') || width >= 60)
                .map(|line| line.chars().count())
                .max();
            assert!(longest.unwrap() <= width, "{width}:\n{text}");
        }
    }
}
