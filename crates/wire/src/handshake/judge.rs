//! The rules: what a SYN-ACK means, given the SYNs before it.

use crate::option::FastOpen;

use super::client_syns::Answered;
use super::connection::{Syn, SynAck};
use super::verdict::Verdict;

/// What is known when a SYN-ACK has come.
pub(super) struct Case {
    pub(super) offer: Syn,
    pub(super) answer: SynAck,
    /// Whether a SYN without option and data was among those sent.
    pub(super) plain_sent: bool,
    pub(super) answered: Answered,
}

impl Case {
    /// The verdict, or `None` as long as it depends on a packet that has not been seen.
    ///
    /// A fast SYN that went unanswered and one that was answered without its data being taken differ in what came back: bytes
    /// acknowledged, or a cookie, which nobody grants to a plain SYN, say that the fast SYN arrived; else the timestamp
    /// says which SYN was answered; else a plain SYN sent meanwhile makes the fast one lost, as Linux itself counts it
    /// (`net/ipv4/tcp_input.c:tcp_rcv_fastopen_synack`).
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let Self { offer, answer, .. } = self;
        if !offer.is_fast() {
            return Some(match (offer.fast_open, answer.fast_open) {
                (FastOpen::Request(_), FastOpen::Cookie(..)) => Verdict::CookieGranted,
                (FastOpen::Request(_), _) => Verdict::CookieNotGranted,
                _ => Verdict::Plain,
            });
        }
        let took_none = match offer.data_bytes {
            0 => Verdict::Dataless,
            sent if sent == answer.acked_bytes => return Some(Verdict::Accepted),
            _ => Verdict::Ignored,
        };
        let arrived = answer.acked_bytes > 0 || answer.fast_open != FastOpen::Absent;
        match self.answered {
            _ if arrived => Some(took_none),
            Answered::Fast => Some(took_none),
            Answered::Plain => Some(Verdict::SynLost),
            Answered::Unseen => None,
            Answered::Unknown if self.plain_sent => Some(Verdict::SynLost),
            Answered::Unknown => Some(took_none),
        }
    }
}
