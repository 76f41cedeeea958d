//! What could not be read, and what was read through something else.

use std::collections::BTreeMap;

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
                *self.links.entry(number).or_default() += 1
            }
            DecodeError::Fragment => self.fragments += 1,
            DecodeError::FragmentedSyn => {
                self.fragments += 1;
                self.syns += 1;
            }
            DecodeError::TooDeep(tunnel) => *self.nested.entry(tunnel).or_default() += 1,
            DecodeError::Link(LinkError::Short) | DecodeError::Ip | DecodeError::Tcp if is_cut => {
                self.short += 1
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
            nested,
            undescribed,
        } = self;
        links.is_empty()
            && nested.is_empty()
            && [short, broken, fragments, undescribed]
                .iter()
                .all(|count| **count == 0)
    }

    pub(super) fn warn(&self) {
        for (number, packets) in &self.links {
            let link = LinkType(*number);
            warning::print(format_args!("{} can't be read: link layer {link}", of(*packets)));
        }
        if self.short > 0 {
            warning::print(format_args!(
                "{} were captured too short to be read: capture at least 256 bytes of each (tcpdump -s 256)",
                of(self.short)
            ));
        }
        if self.broken > 0 {
            let packets = of(self.broken);
            warning::print(format_args!(
                "{packets} can't be read: their IP or TCP header is broken"
            ));
        }
        if self.fragments > 0 {
            warning::print(format_args!(
                "{} of TCP packets, {} of them of SYNs, are not put together: capture where packets are whole",
                count(self.fragments, "IP fragment", "IP fragments"),
                count(self.syns, "the first", "the first")
            ));
        }
        for (tunnel, packets) in &self.nested {
            let packets = of(*packets);
            warning::print(format_args!(
                "{packets} carry {tunnel} within too many other tunnels, and are not looked into"
            ));
        }
        if self.undescribed > 0 {
            let packets = of(self.undescribed);
            warning::print(format_args!(
                "{packets} can't be read: the capture does not describe their interface"
            ));
        }
    }
}

fn of(packets: u64) -> String {
    count(packets, "packet", "packets")
}
