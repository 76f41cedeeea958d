//! The reports as a person reads them.

use std::io::{self, Write};
use std::time::Duration;

use super::report::{Checked, Cookies, Deleted, Entry, Match, Report};
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};

pub(super) fn report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    match report {
        Report::Cookies(cookies) => list(cookies, out),
        Report::Deleted(deleted) => self::deleted(deleted, out),
        Report::Flushed => writeln!(
            out,
            "Deleted: every destination of this network namespace, with its cookie and other measurements."
        ),
        Report::Minted(minted) => writeln!(out, "{}", minted.cookie),
        Report::Checked(checked) => self::checked(checked, out),
        // The error is printed where those of every command are.
        Report::Failed(_) => Ok(()),
    }
}

fn list(cookies: &Cookies, out: &mut impl Write) -> io::Result<()> {
    if cookies.entries.is_empty() {
        return writeln!(
            out,
            "There are no cookies in this network namespace. A connection requests one, as in: tfo send ADDR hello"
        );
    }
    const HEADINGS: &[&str] = &["DESTINATION", "FROM", "COOKIE", "MSS", "AGE", "LOST SYNS"];
    let rows: Vec<Vec<String>> = cookies.entries.iter().map(columns).collect();
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<_> = std::iter::zip(cells, &widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    writeln!(out, "{BOLD}{}{BOLD:#}", line(HEADINGS.to_vec()))?;
    for (row, entry) in std::iter::zip(&rows, &cookies.entries) {
        let style = match entry {
            Entry { syn_drops: 1.., .. } => WARNING,
            Entry { cookie: None, .. } => DIM,
            _ => anstyle::Style::new(),
        };
        writeln!(
            out,
            "{style}{}{style:#}",
            line(row.iter().map(String::as_str).collect())
        )?;
    }
    Ok(())
}

fn columns(entry: &Entry) -> Vec<String> {
    let time = |ms: Option<u64>| ms.map_or_else(|| "?".to_owned(), age);
    vec![
        entry.destination.to_string(),
        entry.source.map_or_else(String::new, |source| source.to_string()),
        entry.cookie.clone().unwrap_or_else(|| "none".to_owned()),
        entry.mss.map_or_else(String::new, |mss| mss.to_string()),
        time(entry.age_ms),
        match entry.syn_drops {
            0 => "0".to_owned(),
            drops => format!("{drops} in a row, {} ago", time(entry.last_syn_drop_ms)),
        },
    ]
}

/// A time in its two largest units.
fn age(ms: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = Duration::from_millis(ms).as_secs();
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m {}s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{}h {}m", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{}d {}h", seconds / DAY, seconds % DAY / HOUR),
    }
}

fn deleted(deleted: &Deleted, out: &mut impl Write) -> io::Result<()> {
    let Deleted { destination, found } = deleted;
    match found {
        true => writeln!(
            out,
            "Deleted: {destination}, with its cookie and other measurements."
        ),
        false => writeln!(out, "There is nothing to delete for {destination}."),
    }
}

fn checked(checked: &Checked, out: &mut impl Write) -> io::Result<()> {
    let Checked {
        client,
        server,
        cookie,
        matches,
        expected,
    } = checked;
    match matches {
        Match::Primary => writeln!(
            out,
            "{GOOD}valid{GOOD:#}: {server} accepts the cookie {cookie} from {client}"
        ),
        Match::Backup => writeln!(
            out,
            "{GOOD}valid{GOOD:#}, by the backup key: {server} accepts the cookie {cookie} from {client}, and grants {expected} in its place"
        ),
        Match::None => writeln!(
            out,
            "{BAD}not valid{BAD:#}: {server} refuses the cookie {cookie} from {client}, and grants {expected} in its place\n\
             It was made with another key, for another client address (behind a NAT the server sees the NAT's), or \
             for another server address."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(report: &Report) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        super::report(report, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    fn entry(destination: &str) -> Entry {
        Entry {
            destination: destination.parse().unwrap(),
            source: "192.0.2.1".parse().ok(),
            cookie: Some("3021b9…".to_owned()),
            mss: Some(1460),
            syn_drops: 0,
            last_syn_drop_ms: None,
            age_ms: Some(184_000),
        }
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let lost = Entry {
            syn_drops: 2,
            last_syn_drop_ms: Some(7_300_000),
            ..entry("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
        };
        let bare = Entry {
            source: None,
            cookie: None,
            mss: None,
            age_ms: None,
            ..entry("192.0.2.3")
        };
        let entries = vec![entry("192.0.2.2"), bare, lost];
        insta::assert_snapshot!(drawn(&Report::Cookies(Cookies { entries })), @r"
        DESTINATION                             FROM       COOKIE   MSS   AGE    LOST SYNS
        192.0.2.2                               192.0.2.1  3021b9…  1460  3m 4s  0
        192.0.2.3                                          none           ?      0
        2001:db8:ffff:ffff:ffff:ffff:ffff:ffff  192.0.2.1  3021b9…  1460  3m 4s  2 in a row, 2h 1m ago
        ");
    }

    #[test]
    fn ages_have_two_units() {
        assert_eq!(
            [999, 59_999, 60_000, 3_599_000, 86_399_000, 200_000_000].map(age),
            ["0s", "59s", "1m 0s", "59m 59s", "23h 59m", "2d 7h"]
        );
    }
}
