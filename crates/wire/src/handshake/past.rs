//! What is remembered of a connection after its report.

use std::net::SocketAddr;
use std::time::Duration;

use super::connection::Syn;
use super::machine::Handshake;
use super::note::FallbackCause;
use super::packet::Packet;
use super::tracker::Limits;
use super::verdict::Verdict;

/// Enough of a connection to know its late packets from those of a new one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub(super) client: SocketAddr,
    /// The SYN's sequence number, and what it offered.
    pub(super) syn: Option<(u32, Syn)>,
    pub(super) server_isn: Option<u32>,
    pub(super) started: Duration,
    pub(super) verdict: Verdict,
}

impl Past {
    /// What a SYN or SYN-ACK between the same ends begins, if anything.
    pub(super) fn successor(&self, packet: &Packet<'_>, limits: &Limits) -> Option<Handshake> {
        let segment = packet.segment;
        let new = Handshake::new(packet);
        if segment.flags.ack {
            return (!self.answers(packet)).then_some(new);
        }
        match self.syn {
            Some((isn, _)) if self.client == segment.source && isn == segment.sequence => {
                self.server_isn.map(|isn| new.replay_of(isn))
            }
            Some((_, syn)) if self.client == segment.source && syn.is_fast() => {
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

    /// Whether a SYN-ACK is this connection's, late or sent again.
    fn answers(&self, packet: &Packet<'_>) -> bool {
        let segment = packet.segment;
        if self.client != segment.destination {
            return false;
        }
        match self.syn {
            Some((isn, syn)) => {
                let acked = segment.acknowledgment.wrapping_sub(isn).wrapping_sub(1);
                acked as usize <= syn.data_bytes
            }
            None => self.server_isn == Some(segment.sequence),
        }
    }
}
