//! How many connections came to what, in all and for each server.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;

use fastopen_wire::{Connection, Tunnel, Verdict};

use crate::style::{BOLD, DIM};
use crate::units::{count, grouped};
use crate::width;

/// How many servers are counted one by one.
const MOST_SERVERS: usize = 4096;
/// How many servers are shown one by one.
const SHOWN: usize = 20;

/// How many connections came to what.
#[derive(Debug, Default)]
pub(super) struct Summary {
    all: Tally,
    servers: HashMap<SocketAddr, Tally>,
    /// Connections to servers that were seen after those.
    others: Tally,
    rounds_saved: u64,
    /// How many packets came through which tunnel.
    tunnelled: BTreeMap<Tunnel, u64>,
    /// How many ICMP errors quote a SYN, or may.
    pub(super) icmp_errors: u64,
    /// How many connections were not followed to their end because the table was full.
    pub(super) evicted: u64,
}

impl Summary {
    pub(super) fn add(&mut self, connection: &Connection) {
        self.all.add(connection.verdict);
        self.rounds_saved += u64::from(connection.rounds_saved());
        let known = self.servers.len();
        match self.servers.get_mut(&connection.server) {
            Some(tally) => tally.add(connection.verdict),
            None if known < MOST_SERVERS => self
                .servers
                .entry(connection.server)
                .or_default()
                .add(connection.verdict),
            None => self.others.add(connection.verdict),
        }
    }

    /// Counts a packet that came through a tunnel.
    pub(super) fn tunnelled(&mut self, tunnel: Tunnel) {
        *self.tunnelled.entry(tunnel).or_default() += 1;
    }

    /// Whether there was no connection.
    pub(super) fn is_empty(&self) -> bool {
        self.all.total() == 0
    }

    /// Draws it, within so many columns: a line for all, and one for each server where there are several.
    pub(super) fn write(&self, out: &mut impl Write, width: Option<usize>, all_read: bool) -> io::Result<()> {
        if self.is_empty() {
            let among = if all_read {
                "these packets"
            } else {
                "the packets that could be read"
            };
            writeln!(out, "no TCP connection began among {among}")?;
            return self.write_packets(out, width);
        }
        let title = format!("{}:", count(self.all.total(), "connection", "connections"));
        let mut told = self.all.to_string();
        if self.rounds_saved > 0 {
            told = format!(
                "{told}; {} saved",
                count(self.rounds_saved, "round trip", "round trips")
            );
        }
        for (index, line) in wrapped(&format!("{title} {told}"), width).iter().enumerate() {
            match line.strip_prefix(&title) {
                Some(rest) if index == 0 => writeln!(out, "{BOLD}{title}{BOLD:#}{rest}")?,
                _ => writeln!(out, "{line}")?,
            }
        }
        if self.servers.len() > 1 {
            self.write_servers(out, width)?;
        }
        self.write_packets(out, width)
    }

    /// How many packets came through tunnels, and how many ICMP errors there were.
    fn write_packets(&self, out: &mut impl Write, width: Option<usize>) -> io::Result<()> {
        let tunnels = self.tunnelled.iter().map(|(tunnel, packets)| {
            let packets = count(*packets, "packet", "packets");
            format!("{packets} in {tunnel}")
        });
        let errors = (self.icmp_errors > 0)
            .then(|| count(self.icmp_errors, "ICMP error", "ICMP errors") + " about a SYN");
        let told: Vec<String> = tunnels.chain(errors).collect();
        if told.is_empty() {
            return Ok(());
        }
        for line in wrapped(&format!("among them: {}", told.join(", ")), width) {
            writeln!(out, "{DIM}{line}{DIM:#}")?;
        }
        Ok(())
    }

    fn write_servers(&self, out: &mut impl Write, columns: Option<usize>) -> io::Result<()> {
        let mut servers: Vec<_> = self.servers.iter().collect();
        servers.sort_by_key(|(address, tally)| (u64::MAX - tally.total(), **address));
        let shown = &servers[..servers.len().min(SHOWN)];
        let width = shown
            .iter()
            .map(|(address, _)| address.to_string().len())
            .max()
            .unwrap_or(0);
        for (address, tally) in shown {
            let line = format!("{address:<width$}  {:>6}: {tally}", grouped(tally.total()));
            for line in wrapped(&line, columns.map(|columns| columns.saturating_sub(2))) {
                writeln!(out, "  {line}")?;
            }
        }
        let mut rest = self.others.clone();
        for (_, tally) in &servers[shown.len()..] {
            rest.join(tally);
        }
        match rest.total() {
            0 => Ok(()),
            total => writeln!(out, "  {DIM}other servers{DIM:#}  {:>6}: {rest}", grouped(total)),
        }
    }
}

/// The text as it is, or in lines of so many columns, all but the first set back.
fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    const INDENT: &str = "    ";
    let Some(width) = width.filter(|width| text.chars().count() > *width) else {
        return vec![text.to_owned()];
    };
    let mut lines = width::wrap(text, width.saturating_sub(INDENT.len()));
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, INDENT);
    }
    lines
}

/// Connections by verdict.
#[derive(Clone, Debug, Default)]
struct Tally([u64; Verdict::ALL.len()]);

impl Tally {
    fn add(&mut self, verdict: Verdict) {
        self.0[place(verdict)] += 1;
    }

    fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

fn place(verdict: Verdict) -> usize {
    Verdict::ALL
        .iter()
        .position(|other| *other == verdict)
        .unwrap_or(0)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = Verdict::ALL.iter().zip(self.0).filter(|(_, count)| *count > 0);
        for (index, (verdict, count)) in counted.enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} {verdict}", grouped(count))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::sample;

    fn written(summary: &Summary) -> String {
        let mut text = Vec::new();
        summary
            .write(&mut anstream::StripStream::new(&mut text), None, true)
            .unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn one_server_needs_one_line() {
        let mut summary = Summary::default();
        assert_eq!(written(&summary), "no TCP connection began among these packets\n");
        for connection in sample::connections() {
            summary.add(&connection);
        }
        assert_eq!(
            written(&summary),
            "4 connections: 1 accepted, 1 ignored, 1 cookie-granted, 1 unanswered; 1 round trip saved\n"
        );
    }

    #[test]
    fn what_the_packets_came_in_is_counted() {
        let mut summary = Summary::default();
        for tunnel in [Tunnel::GtpU, Tunnel::Vxlan, Tunnel::GtpU] {
            summary.tunnelled(tunnel);
        }
        summary.icmp_errors = 1;
        let text = written(&summary);
        assert!(
            text.ends_with("\namong them: 1 packet in VXLAN, 2 packets in GTP-U, 1 ICMP error about a SYN\n"),
            "{text}"
        );
    }

    #[test]
    fn a_round_trip_is_saved_where_it_is() {
        let mut summary = Summary::default();
        summary.add(&sample::banner());
        summary.add(&sample::silent_afterwards());
        assert_eq!(
            written(&summary),
            "2 connections: 1 accepted, 1 dataless; 1 round trip saved\n"
        );
    }

    #[test]
    fn it_fits_a_terminal() {
        let mut summary = Summary::default();
        for connection in sample::connections() {
            for server in 0..3_u8 {
                let mut connection = connection.clone();
                connection.server = SocketAddr::new([192, 0, 2, server].into(), 80);
                summary.add(&connection);
            }
        }
        for width in [40, 60, 80] {
            let mut text = Vec::new();
            summary
                .write(&mut anstream::StripStream::new(&mut text), Some(width), true)
                .unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{width}:\n{text}"
            );
        }
    }

    #[test]
    fn servers_are_bounded() {
        let mut summary = Summary::default();
        let accepted = sample::connections().swap_remove(1);
        for server in 0..10_000_u32 {
            let mut connection = accepted.clone();
            connection.server = SocketAddr::new(server.to_be_bytes().into(), 80);
            summary.add(&connection);
        }
        summary.add(&accepted);
        summary.add(&accepted);
        assert_eq!(summary.servers.len(), MOST_SERVERS);
        let text = written(&summary);
        assert_eq!(text.lines().count(), 1 + SHOWN + 1, "{text}");
        assert!(
            text.ends_with("other servers   9,982: 9,982 accepted\n"),
            "{text}"
        );
    }
}
