//! The report as a person reads it.

use std::collections::{BTreeMap, BTreeSet};
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
        let keys = (&socket.keys_before, &socket.keys_now);
        let key = (
            socket.address,
            socket.before,
            socket.now,
            socket.error.as_deref(),
            keys,
        );
        groups.entry(key).or_default().push(socket);
    }
    for ((address, _, _, error, _), sockets) in &groups {
        write!(out, "{BOLD}{address}{BOLD:#}{}: ", owners(sockets))?;
        match error {
            Some(error) => writeln!(out, "{BAD}not switched{BAD:#}: {error}")?,
            None => writeln!(out, "{}", change(sockets[0]))?,
        }
        capped(sockets[0], out)?;
        keys(sockets[0], out)?;
    }
    for missing in &report.missing {
        writeln!(out, "{WARNING}missing:{WARNING:#} {}", missing.what)?;
        if let Some(command) = &missing.command {
            writeln!(out, "{HINT}hint:{HINT:#} {command}")?;
        }
    }
    let is_on = |socket: &Socket| socket.error.is_none() && socket.now != Some(0);
    if report.action == Action::Enable && report.listeners.iter().any(is_on) {
        writeln!(out, "{DIM}replay:{DIM:#} {REPLAY}")?;
        let unchanged = |socket: &&Socket| socket.before == socket.now && socket.now != Some(0);
        let unchanged = report.listeners.iter().filter(unchanged);
        let others = unchanged
            .map(|socket| socket.address)
            .chain(report.beside.iter().copied())
            .collect();
        for command in undo(
            groups
                .keys()
                .filter(|key| key.3.is_none())
                .map(|key| (key.0, key.1, key.2)),
            &others,
            report.netns.as_deref(),
        ) {
            writeln!(out, "{DIM}undo:{DIM:#} {command}")?;
        }
        let mut left: Vec<String> = groups
            .values()
            .map(|sockets| sockets[0])
            .filter_map(|socket| keys_left(socket, report.netns.as_deref()))
            .collect();
        left.dedup();
        for line in left {
            writeln!(out, "{DIM}not undone:{DIM:#} {line}")?;
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

/// What became of the keys of a socket's own, where they changed or outlast its Fast Open.
pub(super) fn keys(socket: &Socket, out: &mut impl Write) -> io::Result<()> {
    let Some(now) = &socket.keys_now else {
        return Ok(());
    };
    let now_listed = now.join(",");
    match &socket.keys_before {
        Some(before) if before == now => match socket.now {
            Some(0) => writeln!(
                out,
                "  keys: it keeps its own, fingerprint {now_listed}, until its server closes the socket; any that they replaced are gone"
            ),
            _ => Ok(()),
        },
        Some(before) => writeln!(
            out,
            "  keys: {WARNING}replaced{WARNING:#} its own, fingerprint {}, by fingerprint {now_listed}",
            before.join(",")
        ),
        None => writeln!(
            out,
            "  keys: set, fingerprint {now_listed} (it used those of its network namespace)"
        ),
    }
}

/// What is left of new keys after the commands that undo the rest: no call takes keys away, and none reads the old ones back.
fn keys_left(socket: &Socket, netns: Option<&str>) -> Option<String> {
    let address = word(socket.address);
    let netns = netns.map_or_else(String::new, |netns| format!(" --netns {netns}"));
    match (&socket.keys_before, &socket.keys_now) {
        (Some(before), Some(now)) if before != now => Some(format!(
            "the keys of {address} from before (fingerprint {}) come back only from where you have them: tfo keys set \
             {address}{netns} --key-file FILE",
            before.join(",")
        )),
        (None, Some(_)) => Some(format!(
            "the keys of {address} stay until its server closes the socket"
        )),
        _ => None,
    }
}

/// An address as a shell takes it: some take brackets for a pattern.
fn word(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.to_string(),
        SocketAddr::V6(address) => format!("'{address}'"),
    }
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

/// What brings back the state before, by address: with a remark where that is not all that it does, since others have Fast Open at the same.
fn undo(
    changed: impl Iterator<Item = (SocketAddr, Option<u32>, Option<u32>)>,
    others: &BTreeSet<SocketAddr>,
    netns: Option<&str>,
) -> Vec<String> {
    let mut by_queue: BTreeMap<u32, Vec<SocketAddr>> = BTreeMap::new();
    for (address, before, _) in changed.filter(|(_, before, now)| before != now) {
        let addresses = by_queue.entry(before.unwrap_or(0)).or_default();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let netns = netns.map_or_else(String::new, |netns| format!("--netns {netns} "));
    let words = |addresses: &[SocketAddr]| {
        let words: Vec<String> = addresses.iter().copied().map(word).collect();
        words.join(" ")
    };
    let command = |(queue, mut addresses): (u32, Vec<SocketAddr>)| {
        let all = words(&addresses);
        addresses.retain(|address| others.contains(address));
        let remark = match addresses[..] {
            [] => String::new(),
            _ => format!(" # the other sockets at {}, too", words(&addresses)),
        };
        match queue {
            0 => format!("tfo disable {netns}{all}{remark}"),
            _ => format!("tfo enable {netns}--queue {queue} {all}{remark}"),
        }
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
            undo(changed.iter().copied(), &BTreeSet::new(), None),
            [
                "tfo disable 0.0.0.0:80 '[::]:80'",
                "tfo enable --queue 16 0.0.0.0:443"
            ]
        );
        assert_eq!(
            undo(
                changed.into_iter().take(1),
                &BTreeSet::new(),
                Some("/run/netns/blue")
            ),
            ["tfo disable --netns /run/netns/blue 0.0.0.0:80"]
        );
        assert_eq!(
            undo(changed.into_iter().take(2), &BTreeSet::from([changed[1].0]), None),
            ["tfo disable 0.0.0.0:80 '[::]:80' # the other sockets at '[::]:80', too"]
        );
    }
}
