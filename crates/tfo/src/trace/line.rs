//! One line a connection.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;

use anstyle::Style;
use fastopen_wire::Connection;

use super::words;
use crate::width::{display, wrap};

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
    let mut text = String::with_capacity(256);
    // Writing to a string can't fail.
    let _ = write!(text, "{style}{verdict:<VERDICT$}{style:#}  ");
    push_address(&mut text, *client);
    text.push_str(" → ");
    push_address(&mut text, *server);
    let ends = text.len();
    text.push_str("  ");
    words::write_reason(&mut text, connection);
    text.push('\n');
    if let Some(width) = width
        && display(text.trim_end()) > width
    {
        let reason = text.split_off(ends);
        text.push('\n');
        for line in wrap(reason.trim(), width.saturating_sub(INDENT)) {
            let _ = writeln!(text, "{:INDENT$}{line}", "");
        }
    }
    out.write_all(text.as_bytes())
}

/// Address and port, as `Display` has them: with IPv4, the usual one, in a fraction of the time, which counts where there are millions.
fn push_address(text: &mut String, address: SocketAddr) {
    let SocketAddr::V4(address) = address else {
        let _ = write!(text, "{address}");
        return;
    };
    for (index, octet) in address.ip().octets().into_iter().enumerate() {
        if index > 0 {
            text.push('.');
        }
        push_number(text, octet.into());
    }
    text.push(':');
    push_number(text, address.port());
}

fn push_number(text: &mut String, number: u16) {
    let mut place = 10_000;
    while place > number && place > 1 {
        place /= 10;
    }
    while place > 0 {
        text.push(char::from(b'0' + (number / place % 10) as u8));
        place /= 10;
    }
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
    fn addresses_are_written_as_display_writes_them() {
        for address in [
            "0.0.0.0:0",
            "10.20.100.255:65535",
            "192.0.2.9:80",
            "[2001:db8::1]:10000",
        ] {
            let mut text = String::new();
            super::push_address(&mut text, address.parse().unwrap());
            assert_eq!(text, address);
        }
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
