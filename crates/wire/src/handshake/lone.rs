//! A connection of which nothing but its first SYN has been seen.

use std::time::Duration;

use crate::option::FastOpen;
use crate::segment::{Flags, Segment};

use super::connection::Syn;
use super::flow::FlowKey;
use super::machine::{Cookies, Handshake};
use super::observe::remember;
use super::packet::Packet;
use super::step::Side;

/// As many bytes as a TCP header has room for options.
const MAX_OPTIONS: usize = 40;

/// The first SYN of a connection, kept small: floods and scans leave very many behind. The next packet, or the end, makes a
/// [`Handshake`] of it, as if that had been there from the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoneSyn {
    number: u64,
    time: Duration,
    sequence: u32,
    payload_len: u32,
    options: [u8; MAX_OPTIONS],
    options_len: u8,
    client_is_low: bool,
    is_ipv6: bool,
    /// Whether its cookie differs from the one that was used before.
    cookie_changed: bool,
}

impl LoneSyn {
    /// Takes a packet that is the first SYN of its connection; `None` where it does not fit.
    pub(super) fn new(packet: &Packet<'_>, key: &FlowKey) -> Option<Self> {
        let segment = packet.segment;
        let mut options = [0; MAX_OPTIONS];
        options
            .get_mut(..segment.options.len())?
            .copy_from_slice(segment.options);
        Some(Self {
            number: packet.number,
            time: packet.time,
            sequence: segment.sequence,
            payload_len: segment.payload_len.try_into().ok()?,
            options,
            options_len: segment.options.len() as u8,
            client_is_low: key.is_low(segment.source),
            is_ipv6: segment.source.is_ipv6(),
            cookie_changed: false,
        })
    }

    /// Compares its cookie with the one that client and server used before.
    pub(super) fn remember_cookie(&mut self, packet: &Packet<'_>, cookies: &mut Cookies) {
        let segment = packet.segment;
        if let FastOpen::Cookie(_, cookie) = segment.fast_open() {
            self.cookie_changed = remember(cookies, segment.source, segment.destination, cookie);
        }
    }

    /// What a handshake knows after that SYN. `due`: when it is no longer worth waiting for another packet.
    pub(super) fn handshake(&self, key: &FlowKey, due: Duration) -> Handshake {
        let (low, high) = key.ends(self.is_ipv6);
        let (source, destination) = if self.client_is_low {
            (low, high)
        } else {
            (high, low)
        };
        let segment = Segment {
            source,
            destination,
            sequence: self.sequence,
            acknowledgment: 0,
            flags: Flags {
                syn: true,
                ..Flags::default()
            },
            window: 0,
            options: &self.options[..usize::from(self.options_len)],
            payload: &[],
            payload_len: self.payload_len as usize,
        };
        let packet = Packet {
            number: self.number,
            time: self.time,
            segment: &segment,
        };
        let mut handshake = Handshake::new(&packet);
        handshake.add_syn(&packet, Side::Client, Syn::of(&segment), self.cookie_changed);
        handshake.due = due;
        handshake
    }
}
