//! The report on one connection.

use std::net::SocketAddr;
use std::time::Duration;

use crate::option::FastOpen;
use crate::segment::Segment;

use super::note::Note;
use super::step::Step;
use super::verdict::Verdict;

/// What was seen of one connection, and what it means.
///
/// With the feature `serde` it serialises to an object with a key for each field here, plus `rounds_used` and `rounds_saved`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Who sent the SYN.
    pub client: SocketAddr,
    /// Who it was for.
    pub server: SocketAddr,
    /// What became of Fast Open.
    pub verdict: Verdict,
    /// The number of the packet that settled the verdict; for [`Verdict::Unanswered`] that of the last SYN, or of the SYN of another
    /// connection by which the client gave up this one. `None` for [`Verdict::Inconclusive`].
    pub evidence: Option<u64>,
    /// When its first packet was seen, from the caller's origin of time.
    pub started: Duration,
    /// From its first SYN to the SYN-ACK that counted.
    pub answered_after: Option<Duration>,
    /// What the client offered: the SYN with the most to say, where there were several. `None` where it was not captured.
    pub syn: Option<Syn>,
    /// What the server answered; `None` where that was not captured or never came.
    pub syn_ack: Option<SynAck>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
    /// Its packets in the order in which they were seen, up to [`MAX_STEPS`](Self::MAX_STEPS): all SYNs, SYN-ACKs and resets, and
    /// the first acknowledgment, data and FIN from each side.
    pub steps: Vec<Step>,
    /// How many steps there were beyond those.
    pub steps_omitted: u32,
}

impl Connection {
    /// How many steps a connection keeps.
    pub const MAX_STEPS: usize = 24;

    /// How many round trips pass until an answer can be there: see [`Verdict::rounds_used`]. One where the server's data came
    /// [early](Note::EarlyData), none where it was [silent](Note::SilentAfterwards) after it had accepted, or the connection was
    /// [reset](Note::Reset) before it had sent data.
    pub fn rounds_used(&self) -> Option<u8> {
        match () {
            () if self.has(|note| matches!(note, Note::EarlyData { .. })) => Some(1),
            () if self.was_in_vain() => None,
            () => self.verdict.rounds_used(),
        }
    }

    /// How many round trips Fast Open saved: 1 or 0.
    pub fn rounds_saved(&self) -> u8 {
        match self.verdict {
            Verdict::Dataless => u8::from(self.has(|note| matches!(note, Note::EarlyData { .. }))),
            Verdict::Accepted => u8::from(!self.was_in_vain()),
            _ => 0,
        }
    }

    /// Whether no answer can have come, although the data in the SYN were accepted.
    fn was_in_vain(&self) -> bool {
        let ends_it = |note: &Note| {
            matches!(
                note,
                Note::SilentAfterwards { .. }
                    | Note::Reset {
                        before_data: true,
                        ..
                    }
            )
        };
        self.verdict == Verdict::Accepted && self.has(ends_it)
    }

    fn has(&self, is_it: impl Fn(&Note) -> bool) -> bool {
        self.notes.iter().any(is_it)
    }
}

/// What a client offered in its SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Syn {
    /// The Fast Open option.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub fast_open: FastOpen,
    /// How many bytes the SYN carried.
    pub data_bytes: usize,
}

impl Syn {
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        Self {
            fast_open: segment.fast_open(),
            data_bytes: segment.payload_len,
        }
    }

    /// Whether it presents a cookie or carries data: what Linux leaves out when it sends a SYN again.
    pub fn is_fast(&self) -> bool {
        self.data_bytes > 0 || matches!(self.fast_open, FastOpen::Cookie(..))
    }

    /// Whether it has neither the option nor data.
    pub fn is_plain(&self) -> bool {
        self.data_bytes == 0 && self.fast_open == FastOpen::Absent
    }
}

/// What a server answered in its SYN-ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SynAck {
    /// The Fast Open option.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub fast_open: FastOpen,
    /// How many of the bytes in the SYN it acknowledged; 0 where the SYN is missing.
    pub acked_bytes: usize,
    /// How many bytes it carried itself.
    pub data_bytes: usize,
}
