//! The report as a person reads it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;

use super::report::{Action, Owner, Report, Socket};
use crate::style::{BAD, BOLD, DIM, GOOD, HINT, WARNING};
use crate::units;

pub(super) const REPLAY: &str = "the data in a SYN can be delivered twice, repeated by the network or by somebody who captured it; keep it \
                      where a repeated first request does no harm";

pub(super) fn report(report: &Report, out: &mut impl Write) -> io::Result<()> {
    // The sockets of a SO_REUSEPORT group are one line as long as they are alike.
    let mut groups: BTreeMap<_, Vec<&Socket>> = BTreeMap::new();
    for socket in &report.listeners {
        let key = (socket.address, socket.before, socket.now, socket.error.as_deref());
        groups.entry(key).or_default().push(socket);
    }
    for ((address, _, _, error), sockets) in &groups {
        write!(out, "{BOLD}{address}{BOLD:#}{}: ", owners(sockets))?;
        match error {
            Some(error) => writeln!(out, "{BAD}not switched{BAD:#}: {error}")?,
            None => writeln!(out, "{}", change(sockets[0]))?,
        }
        capped(sockets[0], out)?;
    }
    for missing in &report.missing {
        writeln!(out, "{WARNING}missing:{WARNING:#} {}", missing.what)?;
        if let Some(command) = &missing.command {
            writeln!(out, "{HINT}hint:{HINT:#} {command}")?;
        }
    }
    if report.action == Action::Enable && report.listeners.iter().any(|socket| socket.error.is_none()) {
        writeln!(out, "{DIM}replay:{DIM:#} {REPLAY}")?;
        for command in undo(
            groups
                .keys()
                .filter(|key| key.3.is_none())
                .map(|key| (key.0, key.1, key.2)),
            report.netns.as_deref(),
        ) {
            writeln!(out, "{DIM}undo:{DIM:#} {command}")?;
        }
    }
    Ok(())
}

pub(super) fn capped(socket: &Socket, out: &mut impl Write) -> io::Result<()> {
    let (Some(asked), limit) = (socket.capped_from, socket.now.unwrap_or(0)) else {
        return Ok(());
    };
    writeln!(
        out,
        "  {WARNING}capped{WARNING:#}: {asked} was asked for, and net.core.somaxconn allows {limit}"
    )
}

pub(super) fn change(socket: &Socket) -> String {
    let (before, now) = (socket.before.unwrap_or(0), socket.now.unwrap_or(0));
    match (before, now) {
        (0, 0) => "Fast Open was off and is off".to_owned(),
        (_, 0) => format!("{GOOD}Fast Open off{GOOD:#} (the queue was {before})"),
        (0, _) => format!("{GOOD}Fast Open on{GOOD:#}, queue {now} (it was off)"),
        _ if before == now => format!("{GOOD}Fast Open on{GOOD:#} already, queue {now}"),
        _ => format!("{GOOD}Fast Open on{GOOD:#}, queue {now} (it was {before})"),
    }
}

/// What brings back the state before, by address.
fn undo(
    changed: impl Iterator<Item = (SocketAddr, Option<u32>, Option<u32>)>,
    netns: Option<&str>,
) -> Vec<String> {
    let mut by_queue: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (address, before, _) in changed.filter(|(_, before, now)| before != now) {
        let addresses = by_queue.entry(before.unwrap_or(0)).or_default();
        // Some shells take brackets for a pattern.
        let address = match address {
            SocketAddr::V4(address) => address.to_string(),
            SocketAddr::V6(address) => format!("'{address}'"),
        };
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let netns = netns.map_or_else(String::new, |netns| format!("--netns {netns} "));
    let command = |(queue, addresses): (u32, Vec<String>)| match queue {
        0 => format!("tfo disable {netns}{}", addresses.join(" ")),
        _ => format!("tfo enable {netns}--queue {queue} {}", addresses.join(" ")),
    };
    by_queue.into_iter().map(command).collect()
}

pub(super) fn owners(sockets: &[&Socket]) -> String {
    let mut owners: Vec<&Owner> = sockets.iter().flat_map(|socket| &socket.processes).collect();
    owners.sort_by_key(|owner| owner.pid);
    owners.dedup();
    let processes = match &owners[..] {
        [] => String::new(),
        [owner] => format!("{}, process {}", owner.name, owner.pid),
        [owner, rest @ ..] => format!("{}, process {} and {} more", owner.name, owner.pid, rest.len()),
    };
    let sockets = match sockets.len() {
        1 => String::new(),
        many => units::count(many as u64, "socket", "sockets"),
    };
    match [processes, sockets]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
    {
        empty if empty.is_empty() => empty,
        told => format!(" ({told})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoing_restores_what_was_before() {
        let changed = [
            ("0.0.0.0:80", Some(0), Some(1024)),
            ("[::]:80", Some(0), Some(1024)),
            ("0.0.0.0:443", Some(16), Some(1024)),
            ("0.0.0.0:22", Some(7), Some(7)),
        ];
        let changed = changed.map(|(address, before, now)| (address.parse().unwrap(), before, now));
        assert_eq!(
            undo(changed.iter().copied(), None),
            [
                "tfo disable 0.0.0.0:80 '[::]:80'",
                "tfo enable --queue 16 0.0.0.0:443"
            ]
        );
        assert_eq!(
            undo(changed.into_iter().take(1), Some("/run/netns/blue")),
            ["tfo disable --netns /run/netns/blue 0.0.0.0:80"]
        );
    }
}
