//! What could not be read.

use std::collections::BTreeMap;
use std::fmt;

use fastopen_wire::{DecodeError, LinkError, LinkType, Tunnel};

use super::capture::Record;
use crate::units::count;
use crate::warning;

/// Packets that could not be read, by what kept them from it.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// Frames of link layers that can't be read, by their number.
    links: BTreeMap<u32, u64>,
    /// Packets of which the capture kept too little.
    short: u64,
    /// Packets whose headers contradict themselves.
    broken: u64,
    /// Fragments of TCP packets.
    fragments: u64,
    /// How many of these are the start of a SYN.
    syns: u64,
    /// Packets of tunnels that do not show what they carry.
    opaque: BTreeMap<Tunnel, u64>,
    /// Packets in more tunnels than are looked into.
    nested: BTreeMap<Tunnel, u64>,
    /// Packets of interfaces that the capture does not describe.
    pub(super) undescribed: u64,
}

impl Unread {
    #[cold]
    pub(super) fn count(&mut self, error: DecodeError, record: &Record<'_>) {
        let is_cut = record.frame.len() < record.original_len;
        match error {
            DecodeError::NotTcp { .. } | DecodeError::Link(LinkError::NotIp { .. }) => {}
            DecodeError::Link(LinkError::Unknown(LinkType(number))) => {
                *self.links.entry(number).or_default() += 1;
            }
            DecodeError::Fragment => self.fragments += 1,
            DecodeError::FragmentedSyn => {
                self.fragments += 1;
                self.syns += 1;
            }
            DecodeError::Opaque(tunnel) => *self.opaque.entry(tunnel).or_default() += 1,
            DecodeError::TooDeep(tunnel) => *self.nested.entry(tunnel).or_default() += 1,
            DecodeError::Link(LinkError::Short) | DecodeError::Ip | DecodeError::Tcp if is_cut => {
                self.short += 1;
            }
            DecodeError::Link(LinkError::Short) | DecodeError::Ip | DecodeError::Tcp => self.broken += 1,
        }
    }

    /// Whether all could be read.
    pub(super) fn is_nothing(&self) -> bool {
        let Self {
            links,
            short,
            broken,
            fragments,
            syns: _,
            opaque,
            nested,
            undescribed,
        } = self;
        links.is_empty()
            && opaque.is_empty()
            && nested.is_empty()
            && [short, broken, fragments, undescribed]
                .iter()
                .all(|count| **count == 0)
    }

    pub(super) fn warn(&self) {
        for (number, packets) in &self.links {
            warn(*packets, format_args!("{} is not known", LinkType(*number)));
        }
        warn(
            self.short,
            format_args!("captured too short; capture at least 256 bytes of each (tcpdump -s 256)"),
        );
        warn(self.broken, format_args!("a broken IP or TCP header"));
        for (tunnel, packets) in &self.opaque {
            warn(
                *packets,
                format_args!("they carry {tunnel}, which is not looked into"),
            );
        }
        for (tunnel, packets) in &self.nested {
            warn(*packets, format_args!("{tunnel} within too many other tunnels"));
        }
        warn(
            self.undescribed,
            format_args!("the capture does not describe their interface"),
        );
        if self.fragments > 0 {
            warning::print(format_args!(
                "{} of TCP packets, {} of them the first of a SYN, are not put together",
                count(self.fragments, "IP fragment", "IP fragments"),
                self.syns
            ));
        }
    }
}

fn warn(packets: u64, why: fmt::Arguments<'_>) {
    if packets > 0 {
        let packets = count(packets, "packet", "packets");
        warning::print(format_args!("could not read {packets}: {why}"));
    }
}
