//! How many connections came to what, in all and for each server.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;

use fastopen_wire::{Connection, Verdict};

use crate::style::{BOLD, DIM};
use crate::units::{count, grouped};

/// Servers that are counted one by one.
const MOST_SERVERS: usize = 4096;
/// Servers that are shown one by one.
const SHOWN: usize = 20;

/// How many connections came to what.
#[derive(Debug, Default)]
pub(super) struct Summary {
    all: Tally,
    servers: HashMap<SocketAddr, Tally>,
    /// Those of servers that came when there were too many.
    others: Tally,
    /// How many connections were not followed to their end for want of room.
    pub(super) evicted: u64,
}

impl Summary {
    pub(super) fn add(&mut self, connection: &Connection) {
        self.all.add(connection.verdict);
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

    /// Draws it: a line for all, and one for each server where there are several.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if self.all.total() == 0 {
            return writeln!(out, "no TCP connection began among these packets");
        }
        let saved = self.all.count(Verdict::Accepted);
        write!(
            out,
            "{BOLD}{}:{BOLD:#} {}",
            count(self.all.total(), "connection", "connections"),
            self.all
        )?;
        match saved {
            0 => writeln!(out)?,
            _ => writeln!(out, "; {} saved", count(saved, "round trip", "round trips"))?,
        }
        if self.servers.len() > 1 {
            self.write_servers(out)?;
        }
        Ok(())
    }

    fn write_servers(&self, out: &mut impl Write) -> io::Result<()> {
        let mut servers: Vec<_> = self.servers.iter().collect();
        servers.sort_by_key(|(address, tally)| (u64::MAX - tally.total(), **address));
        let shown = &servers[..servers.len().min(SHOWN)];
        let width = shown
            .iter()
            .map(|(address, _)| address.to_string().len())
            .max()
            .unwrap_or(0);
        for (address, tally) in shown {
            writeln!(out, "  {address:<width$}  {:>6}: {tally}", grouped(tally.total()))?;
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

    fn count(&self, verdict: Verdict) -> u64 {
        self.0[place(verdict)]
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
    use super::super::sample;
    use super::*;

    fn written(summary: &Summary) -> String {
        let mut text = Vec::new();
        summary.write(&mut anstream::StripStream::new(&mut text)).unwrap();
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
