//! The end of a connection: what is reported of it, and what is remembered.

use std::collections::VecDeque;
use std::time::Duration;

use super::connection::Connection;
use super::machine::{Handshake, Seen};
use super::note::Note;
use super::past::Past;
use super::step::Side;
use super::verdict::Verdict;

/// Why a connection is no longer followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its report is complete.
    Complete,
    /// It timed out.
    Overdue,
    /// A packet of another connection came between the same ports.
    Reused(u64),
    /// The table was full.
    Evicted,
    /// There are no more packets.
    Finished,
}

impl Handshake {
    /// Reports, and says what to remember; `None` where the report would repeat one that was given before.
    pub(super) fn end(mut self, ending: Ending, reports: &mut VecDeque<Connection>) -> Option<Past> {
        if self.replay_of.is_some() {
            if self.answer.is_none() || self.repeats() {
                return None;
            }
            self.note(Note::Replayed);
        }
        let silent = self.is_open() && self.syns.is_some() && !self.other_packets;
        let (verdict, evidence) = match (self.verdict, ending, &self.syns) {
            (Some((verdict, number)), ..) => (verdict, Some(number)),
            (_, Ending::Overdue, Some(syns)) if silent => (Verdict::Unanswered, Some(syns.last_number)),
            // A single SYN may have been answered without the capture seeing it; a client that repeats it says that it was not.
            (_, Ending::Reused(number), Some(syns)) if silent && syns.repeated() => {
                (Verdict::Unanswered, Some(number))
            }
            _ => (Verdict::Inconclusive, None),
        };
        match &self.syns {
            None => self.note(Note::SynMissing),
            Some(_) if self.answer_missed && self.answer.is_none() => self.note(Note::SynAckMissing),
            Some(_) if self.answer.is_some() && self.verdict.is_none() => self.note(Note::AnsweredSynMissing),
            Some(syns) if silent && verdict == Verdict::Inconclusive => {
                let (syns, waited) = (syns.count, syns.last.saturating_sub(syns.first));
                self.note(Note::NoAnswerSeen { syns, waited });
            }
            Some(_) => {}
        }
        if matches!(self.verdict, Some((Verdict::Accepted, _))) && self.was_silent_afterwards() {
            self.note(Note::SilentAfterwards { resent: self.resent });
        }
        if ending == Ending::Evicted {
            self.note(Note::Evicted);
        }
        let past = Past::new(&self, verdict);
        reports.push_back(Connection {
            client: self.client,
            server: self.server,
            verdict,
            evidence,
            started: self.started,
            answered_after: self.answered_after(),
            syn: self.syns.as_ref().map(|syns| syns.best),
            syn_ack: self.answer.as_ref().map(|answer| self.syn_ack(answer)),
            notes: self.notes,
            steps: self.steps,
            steps_omitted: self.steps_omitted,
        });
        Some(past)
    }

    /// Whether the server sent nothing behind its SYN-ACK, although packets were retransmitted to it.
    fn was_silent_afterwards(&self) -> bool {
        let Seen { ack, data, fin } = self.seen[Side::Server as usize];
        let spoke =
            ack || data || fin || self.reset || self.answer.is_some_and(|answer| answer.data_bytes > 0);
        self.resent > 0 && !spoke
    }

    fn answered_after(&self) -> Option<Duration> {
        let (syns, answer) = (self.syns.as_ref()?, self.answer?);
        Some(answer.time.saturating_sub(syns.first))
    }
}
