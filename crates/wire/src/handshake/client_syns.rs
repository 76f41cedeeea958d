//! A client's SYNs: what they offered, and which of them was answered.

use std::time::Duration;

use crate::option::Options;
use crate::segment::Segment;

use super::connection::Syn;
use super::packet::Packet;

/// The client's SYNs.
#[derive(Clone, Debug)]
pub(super) struct ClientSyns {
    pub(super) isn: u32,
    pub(super) best: Syn,
    pub(super) count: u32,
    pub(super) first: Duration,
    pub(super) last: Duration,
    pub(super) last_number: u64,
    fast_stamps: Option<Stamps>,
    plain_stamps: Option<Stamps>,
    pub(super) plain_sent: bool,
}

/// No TCP retransmits a SYN sooner than this for lack of an answer: one that comes sooner was captured twice, or has another cause.
pub(super) const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

impl ClientSyns {
    pub(super) fn new(packet: &Packet<'_>, syn: Syn) -> Self {
        Self {
            isn: packet.segment.sequence,
            best: syn,
            count: 0,
            first: packet.time,
            last: packet.time,
            last_number: packet.number,
            fast_stamps: None,
            plain_stamps: None,
            plain_sent: false,
        }
    }

    pub(super) fn add(&mut self, packet: &Packet<'_>, syn: Syn) {
        let weight = |syn: &Syn| (syn.is_fast(), syn.data_bytes, !syn.is_plain());
        if weight(&syn) > weight(&self.best) {
            self.best = syn;
        }
        self.count = self.count.saturating_add(1);
        self.last = packet.time;
        self.last_number = packet.number;
        self.plain_sent |= syn.is_plain();
        let stamps = match (syn.is_fast(), syn.is_plain()) {
            (true, _) => &mut self.fast_stamps,
            (_, true) => &mut self.plain_stamps,
            _ => return,
        };
        if let Some((value, _)) = timestamps(packet.segment) {
            Stamps::add(stamps, value);
        }
    }

    /// Whether the client sent its SYN again.
    pub(super) fn repeated(&self) -> bool {
        self.last.saturating_sub(self.first) >= SHORTEST_TIMEOUT
    }

    /// How many of the SYN's bytes an acknowledgment number covers, modulo 2³²; `None` where it can't be for these SYNs.
    pub(super) fn acked(&self, acknowledgment: u32) -> Option<usize> {
        let acked = acknowledgment.wrapping_sub(self.isn).wrapping_sub(1) as usize;
        (acked <= self.best.data_bytes).then_some(acked)
    }

    pub(super) fn answered(&self, echo: Option<u32>) -> Answered {
        let within = |stamps: &Option<Stamps>, echo| stamps.as_ref().map(|stamps| stamps.contain(echo));
        let Some(echo) = echo else {
            return Answered::Unknown;
        };
        match (within(&self.fast_stamps, echo), within(&self.plain_stamps, echo)) {
            (None, None) => Answered::Unknown,
            (Some(true), _) => Answered::Fast,
            (_, Some(true)) => Answered::Plain,
            _ => Answered::Unseen,
        }
    }
}

/// Which SYN a SYN-ACK answers, by the timestamp that it echoes (RFC 7323, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The one with data or a cookie.
    Fast,
    /// One without option and data.
    Plain,
    /// One that was not captured.
    Unseen,
    /// There are no timestamps to tell.
    Unknown,
}

/// The timestamps of some SYNs, from the first to the last.
#[derive(Clone, Copy, Debug)]
struct Stamps {
    first: u32,
    last: u32,
}

impl Stamps {
    fn add(stamps: &mut Option<Self>, value: u32) {
        match stamps {
            Some(stamps) => stamps.last = value,
            None => {
                *stamps = Some(Self {
                    first: value,
                    last: value,
                });
            }
        }
    }

    fn contain(&self, value: u32) -> bool {
        value.wrapping_sub(self.first) <= self.last.wrapping_sub(self.first)
    }
}

/// A segment's timestamp option: its own time, and the one that it echoes.
pub(super) fn timestamps(segment: &Segment<'_>) -> Option<(u32, u32)> {
    const KIND: u8 = 8;
    let option = Options::new(segment.options)
        .map_while(Result::ok)
        .find(|option| option.kind == KIND)?;
    let &[v1, v2, v3, v4, e1, e2, e3, e4] = option.data.first_chunk()?;
    Some((
        u32::from_be_bytes([v1, v2, v3, v4]),
        u32::from_be_bytes([e1, e2, e3, e4]),
    ))
}
