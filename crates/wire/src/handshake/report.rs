//! The end of a connection: what is reported of it, and what is remembered.

use std::time::Duration;

use super::machine::Handshake;
use super::tombstone::Tombstone;
use super::{Connection, Note, Verdict};

/// Why a connection is no longer followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its report is complete.
    Complete,
    /// Its time was up.
    Overdue,
    /// A packet of another connection came between the same ports.
    Reused(u64),
    /// The table was full.
    Evicted,
    /// There are no more packets.
    Finished,
}

impl Handshake {
    /// The report, and what to remember of it; `None` where it would repeat one that was given before.
    pub(super) fn end(mut self, ending: Ending) -> Option<(Connection, Tombstone)> {
        if self.replay_of.is_some() {
            if self.answer.is_none() || self.repeats() {
                return None;
            }
            self.note(Note::Replayed);
        }
        let silent = self.is_open() && self.offers.is_some() && !self.heard;
        let (verdict, evidence) = match (self.ruling, ending, &self.offers) {
            (Some((verdict, number)), ..) => (verdict, Some(number)),
            (_, Ending::Overdue, Some(offers)) if silent => (Verdict::Unanswered, Some(offers.last_number)),
            // A single SYN may have been answered without the capture seeing it; a client that repeats it says that it was not.
            (_, Ending::Reused(number), Some(offers)) if silent && offers.repeated() => {
                (Verdict::Unanswered, Some(number))
            }
            _ => (Verdict::Inconclusive, None),
        };
        match &self.offers {
            None => self.note(Note::SynMissing),
            Some(_) if self.answer_missed && self.answer.is_none() => self.note(Note::SynAckMissing),
            Some(_) if self.answer.is_some() && self.ruling.is_none() => self.note(Note::AnsweredSynMissing),
            Some(offers) if silent && verdict == Verdict::Inconclusive => {
                let (syns, waited) = (offers.count, offers.last.saturating_sub(offers.first));
                self.note(Note::NoAnswerSeen { syns, waited });
            }
            Some(_) => {}
        }
        if ending == Ending::Evicted {
            self.note(Note::Evicted);
        }
        let tombstone = Tombstone {
            client: self.client,
            syn: self.offers.as_ref().map(|offers| (offers.isn, offers.best)),
            server_isn: self.answer.map(|answer| answer.isn),
            started: self.started,
            verdict,
        };
        let report = Connection {
            client: self.client,
            server: self.server,
            verdict,
            evidence,
            started: self.started,
            answered_after: self.answered_after(),
            syn: self.offers.as_ref().map(|offers| offers.best),
            syn_ack: self.answer.as_ref().map(|answer| self.syn_ack(answer)),
            notes: self.notes,
            steps: self.steps,
            steps_omitted: self.steps_omitted,
        };
        Some((report, tombstone))
    }

    fn answered_after(&self) -> Option<Duration> {
        let (offers, answer) = (self.offers.as_ref()?, self.answer?);
        Some(answer.time.saturating_sub(offers.first))
    }
}
