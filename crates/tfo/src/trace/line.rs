//! One line a connection.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::Style;
use fastopen_wire::Connection;

use super::words;
use crate::width;

/// Where the lines behind the first begin, where there are several.
const INDENT: usize = 4;

/// Writes a line, at once, which costs less than piece by piece; on a terminal of so many columns, several where it has no room for it.
pub(super) fn write(
    out: &mut impl Write,
    connection: &Connection,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    const VERDICT: usize = 18;
    let Connection {
        client,
        server,
        verdict,
        ..
    } = connection;
    let reason = words::reason(connection);
    let mut text = String::with_capacity(256);
    // Writing to a string can't fail.
    let _ = write!(text, "{style}{verdict:<VERDICT$}{style:#}  {client} → {server}");
    let has_room = |width| {
        let ends = format!("{client} → {server}").chars().count();
        VERDICT + 2 + ends + 2 + reason.chars().count() <= width
    };
    if width.is_none_or(has_room) {
        text.extend(["  ", &reason, "\n"]);
        return out.write_all(text.as_bytes());
    }
    text.push('\n');
    for line in width::wrap(&reason, width.unwrap_or_default().saturating_sub(INDENT)) {
        let _ = writeln!(text, "{:INDENT$}{line}", "");
    }
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use crate::diagram::sample;

    fn written(width: Option<usize>) -> String {
        let mut text = Vec::new();
        for connection in sample::connections() {
            super::write(&mut text, &connection, anstyle::Style::new(), width).unwrap();
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
