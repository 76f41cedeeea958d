//! What is remembered of a connection after its report.

use std::net::SocketAddr;
use std::time::Duration;

use super::connection::Syn;
use super::limits::Limits;
use super::machine::Handshake;
use super::note::FallbackCause;
use super::packet::Packet;
use super::verdict::Verdict;

/// Enough of a connection to know its late packets from those of a new one. There are many of these: it is kept small.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    /// Whether the client is the first of the two ends in their order.
    client_is_first: bool,
    verdict: Verdict,
    syn: Option<PastSyn>,
    server_isn: Option<u32>,
    started: Duration,
}

/// A SYN's sequence number, and what it offered.
#[derive(Clone, Copy, Debug)]
struct PastSyn {
    isn: u32,
    data_bytes: u32,
    is_fast: bool,
}

impl Past {
    pub(super) fn new(handshake: &Handshake, verdict: Verdict) -> Self {
        Self {
            client_is_first: handshake.client <= handshake.server,
            verdict,
            syn: handshake.syns.as_ref().map(|syns| PastSyn {
                isn: syns.isn,
                data_bytes: u32::try_from(syns.best.data_bytes).unwrap_or(u32::MAX),
                is_fast: syns.best.is_fast(),
            }),
            server_isn: handshake.answer.map(|answer| answer.isn),
            started: handshake.started,
        }
    }

    /// What a SYN or SYN-ACK between the same ends begins, if anything.
    pub(super) fn successor(&self, packet: &Packet<'_>, limits: &Limits) -> Option<Handshake> {
        let segment = packet.segment;
        let new = Handshake::new(packet);
        if segment.flags.ack {
            return (!self.answers(packet)).then_some(new);
        }
        let is_clients = self.client_is(segment.source, segment.destination);
        match self.syn {
            Some(syn) if is_clients && syn.isn == segment.sequence => {
                self.server_isn.map(|isn| new.replay_of(isn))
            }
            Some(syn) if is_clients && syn.is_fast => {
                let waited = packet.time.saturating_sub(self.started);
                let back = Syn::of(segment).is_plain() && waited <= limits.patience;
                Some(match self.verdict {
                    Verdict::Refused if back => new.fallback(FallbackCause::Refused, waited),
                    Verdict::Unanswered if back => new.fallback(FallbackCause::Unanswered, waited),
                    _ => new,
                })
            }
            _ => Some(new),
        }
    }

    fn client_is(&self, end: SocketAddr, other: SocketAddr) -> bool {
        self.client_is_first == (end <= other)
    }

    /// Whether a SYN-ACK is this connection's, late or sent again.
    fn answers(&self, packet: &Packet<'_>) -> bool {
        let segment = packet.segment;
        if !self.client_is(segment.destination, segment.source) {
            return false;
        }
        match self.syn {
            Some(syn) => {
                let acked = segment.acknowledgment.wrapping_sub(syn.isn).wrapping_sub(1);
                acked <= syn.data_bytes
            }
            None => self.server_isn == Some(segment.sequence),
        }
    }
}
