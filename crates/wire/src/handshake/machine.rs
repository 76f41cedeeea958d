//! One connection's handshake, packet by packet.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::{Cookie, FastOpen, OptionKind, Segment};

use super::judge::Case;
use super::memory::Memory;
use super::offers::{Offers, timestamps};
use super::{Connection, Event, FallbackCause, Limits, Note, Side, Step, Syn, SynAck, Verdict};

/// The last cookie that a client and a server were seen to use.
pub(super) type Cookies = Memory<(IpAddr, IpAddr), Cookie>;

/// A segment, and when it was seen.
#[derive(Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) number: u64,
    pub(super) time: Duration,
    pub(super) segment: &'a Segment<'a>,
}

/// What is known of one connection so far.
#[derive(Clone, Debug)]
pub(super) struct Handshake {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) started: Duration,
    pub(super) offers: Option<Offers>,
    pub(super) answer: Option<Answer>,
    pub(super) ruling: Option<(Verdict, u64)>,
    /// The client has acknowledged a SYN-ACK that was not seen.
    pub(super) answer_missed: bool,
    /// Something came that is no answer, and yet more than silence.
    pub(super) heard: bool,
    pub(super) seen: [Seen; 2],
    pub(super) reset: bool,
    pub(super) notes: Vec<Note>,
    pub(super) steps: Vec<Step>,
    pub(super) steps_omitted: u32,
    /// The SYN is one that the server had answered before, with this sequence number.
    pub(super) replay_of: Option<u32>,
    pub(super) due: Duration,
}

/// The SYN-ACK that counts: the first that acknowledges a SYN.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) number: u64,
    pub(super) time: Duration,
    pub(super) isn: u32,
    pub(super) ack: u32,
    pub(super) fast_open: FastOpen,
    pub(super) data_bytes: usize,
    pub(super) echo: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    ack: bool,
    data: bool,
    fin: bool,
}

impl Handshake {
    /// Begins with a SYN or a SYN-ACK, whichever was seen first.
    pub(super) fn new(packet: &Packet<'_>) -> Self {
        let segment = packet.segment;
        let (client, server) = match segment.flags.ack {
            false => (segment.source, segment.destination),
            true => (segment.destination, segment.source),
        };
        Self {
            client,
            server,
            started: packet.time,
            offers: None,
            answer: None,
            ruling: None,
            answer_missed: false,
            heard: false,
            seen: [Seen::default(); 2],
            reset: false,
            notes: Vec::new(),
            steps: Vec::new(),
            steps_omitted: 0,
            replay_of: None,
            due: packet.time,
        }
    }

    /// Says that the server had answered the same SYN before, with this sequence number.
    pub(super) fn replay_of(mut self, server_isn: u32) -> Self {
        self.replay_of = Some(server_isn);
        self
    }

    /// Says what the client had tried before.
    pub(super) fn fallback(mut self, cause: FallbackCause, waited: Duration) -> Self {
        self.note(Note::FallbackAfter { cause, waited });
        self
    }

    /// Whether a segment between the same ends can belong to this connection; else it begins another one.
    pub(super) fn continues(&self, segment: &Segment<'_>) -> bool {
        if !segment.flags.syn || segment.flags.ack || segment.flags.rst {
            return true;
        }
        if segment.source != self.client {
            return self.ruling.is_none();
        }
        match (&self.offers, &self.answer) {
            (Some(offers), _) => offers.isn == segment.sequence,
            (None, Some(answer)) => {
                let acked = answer.ack.wrapping_sub(segment.sequence).wrapping_sub(1);
                acked as usize <= segment.payload_len
            }
            (None, None) => true,
        }
    }

    /// Takes the connection's next packet.
    pub(super) fn take(&mut self, packet: &Packet<'_>, limits: &Limits, cookies: &mut Cookies) {
        let was_open = self.is_open();
        let segment = packet.segment;
        let from = match segment.source == self.client {
            true => Side::Client,
            false => Side::Server,
        };
        let flags = segment.flags;
        match (flags.rst, flags.syn, flags.ack) {
            (true, ..) => self.take_reset(packet, from),
            (_, true, false) => self.take_syn(packet, from, cookies),
            (_, true, true) => self.take_syn_ack(packet, from, cookies),
            _ => self.take_other(packet, from),
        }
        if was_open && !self.is_open() {
            self.due = packet.time.saturating_add(limits.settle);
        } else if self.is_open() && flags.syn && !flags.ack && from == Side::Client {
            self.due = packet.time.saturating_add(limits.patience);
        }
    }

    /// No answer has come, and none has been missed.
    pub(super) fn is_open(&self) -> bool {
        self.ruling.is_none() && self.answer.is_none() && !self.answer_missed
    }

    fn take_syn(&mut self, packet: &Packet<'_>, from: Side, cookies: &mut Cookies) {
        let syn = Syn::of(packet.segment);
        let again = from == Side::Client && self.offers.is_some();
        self.step(
            packet,
            from,
            Event::Syn {
                fast_open: syn.fast_open,
                data_bytes: syn.data_bytes,
                again,
            },
        );
        self.note_option(syn.fast_open, from);
        if from == Side::Server {
            self.heard = true;
            self.note(Note::SimultaneousOpen);
            return;
        }
        if self.ruling.is_some() {
            return;
        }
        if syn.data_bytes > 0 && !matches!(syn.fast_open, FastOpen::Cookie(..)) {
            self.note(Note::DataWithoutCookie);
        }
        if let FastOpen::Cookie(_, cookie) = syn.fast_open
            && self.remember(cookies, cookie)
        {
            self.note(Note::CookieChanged);
        }
        let before = self.offers.as_ref().map(|offers| (offers.best, offers.first));
        if let Some((best, first)) = before
            && syn.is_plain()
            && !best.is_plain()
            && self.answer.is_none()
        {
            let waited = packet.time.saturating_sub(first);
            self.note(Note::FallbackAfter {
                cause: FallbackCause::Timeout,
                waited,
            });
        }
        self.offers
            .get_or_insert_with(|| Offers::new(packet, syn))
            .add(packet, syn);
        self.rule(cookies);
    }

    fn take_syn_ack(&mut self, packet: &Packet<'_>, from: Side, cookies: &mut Cookies) {
        let segment = packet.segment;
        let fast_open = segment.fast_open();
        let acked_bytes = match &self.offers {
            Some(offers) if from == Side::Server => offers.acked(segment.acknowledgment),
            _ => None,
        };
        self.step(
            packet,
            from,
            Event::SynAck {
                fast_open,
                acked_bytes,
                sent_bytes: self.offers.as_ref().map_or(0, |offers| offers.best.data_bytes),
                data_bytes: segment.payload_len,
                again: self
                    .answer
                    .is_some_and(|answer| answer.isn == segment.sequence && from == Side::Server),
            },
        );
        self.note_option(fast_open, from);
        if from == Side::Client {
            self.heard = true;
        } else if self.offers.is_some() && acked_bytes.is_none() {
            self.heard = true;
            self.note(Note::SynAckMismatch);
        } else if let Some(answer) = self.answer {
            if answer.isn != segment.sequence {
                self.note(Note::AnsweredTwice);
            }
        } else {
            self.answer = Some(Answer {
                number: packet.number,
                time: packet.time,
                isn: segment.sequence,
                ack: segment.acknowledgment,
                fast_open,
                data_bytes: segment.payload_len,
                echo: timestamps(segment).map(|(_, echo)| echo),
            });
            self.rule(cookies);
        }
    }

    /// Gives the verdict, if the SYNs and the SYN-ACK leave only one.
    fn rule(&mut self, cookies: &mut Cookies) {
        let (Some(offers), Some(answer)) = (&self.offers, &self.answer) else {
            return;
        };
        let offer = offers.best;
        let case = Case {
            offer,
            answer: self.syn_ack(answer),
            plain_sent: offers.plain_sent,
            answered: offers.answered(answer.echo),
        };
        let number = answer.number;
        let granted = answer.fast_open;
        if self.ruling.is_none() {
            self.ruling = case.verdict().map(|verdict| (verdict, number));
        }
        if let FastOpen::Cookie(_, granted) = granted {
            let differs = self.remember(cookies, granted);
            match offer.fast_open {
                FastOpen::Cookie(_, presented) if presented != granted => self.note(Note::CookieRenewed),
                FastOpen::Cookie(..) => {}
                _ if differs => self.note(Note::CookieChanged),
                _ => {}
            }
        }
    }

    fn take_reset(&mut self, packet: &Packet<'_>, from: Side) {
        self.step(packet, from, Event::Rst);
        let answers = from == Side::Server
            && packet.segment.flags.ack
            && self.is_open()
            && self
                .offers
                .as_ref()
                .is_some_and(|offers| offers.acked(packet.segment.acknowledgment).is_some());
        if answers {
            self.ruling = Some((Verdict::Refused, packet.number));
        } else if self.is_open() {
            self.heard = true;
        } else {
            self.reset = true;
            self.note(Note::Reset { by: from });
        }
    }

    /// A packet without SYN and RST.
    fn take_other(&mut self, packet: &Packet<'_>, from: Side) {
        let segment = packet.segment;
        self.heard = true;
        let seen = &mut self.seen[from as usize];
        let before = *seen;
        *seen = Seen {
            ack: before.ack || segment.flags.ack,
            data: before.data || segment.payload_len > 0,
            fin: before.fin || segment.flags.fin,
        };
        let now = *seen;
        if now.data && !before.data {
            let data_bytes = segment.payload_len;
            self.step(packet, from, Event::Data { data_bytes });
        } else if now.ack && !before.ack {
            self.step(packet, from, Event::Ack);
        }
        if now.fin && !before.fin {
            self.step(packet, from, Event::Fin);
        }
        if from == Side::Client && segment.flags.ack && self.is_open() {
            self.take_silent_answer(packet);
        }
    }

    /// The client goes on as after a SYN-ACK that was not seen: only an offer of nothing leaves no doubt of what it said.
    fn take_silent_answer(&mut self, packet: &Packet<'_>) {
        let Some(offers) = &self.offers else { return };
        if offers.acked(packet.segment.sequence).is_none() {
            return;
        }
        self.answer_missed = true;
        if !offers.best.is_fast() && !matches!(offers.best.fast_open, FastOpen::Request(_)) {
            self.ruling = Some((Verdict::Plain, packet.number));
        }
    }

    /// Whether nothing is missing from the report: the verdict stands, and the first data have passed each way, or the end has.
    pub(super) fn is_complete(&self) -> bool {
        let [client, server] = &self.seen;
        match self.ruling {
            _ if self.repeats() => true,
            None => false,
            Some((Verdict::Refused, _)) => true,
            Some((verdict, _)) => {
                let answered = client.ack && server.data && (client.data || verdict == Verdict::Accepted);
                answered || client.fin || server.fin || self.reset
            }
        }
    }

    /// It turned out to be only an echo of a connection already reported.
    pub(super) fn repeats(&self) -> bool {
        self.replay_of
            .is_some_and(|isn| self.answer.is_some_and(|answer| answer.isn == isn))
    }

    /// When it is no longer worth waiting for more.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    pub(super) fn syn_ack(&self, answer: &Answer) -> SynAck {
        SynAck {
            fast_open: answer.fast_open,
            acked_bytes: self
                .offers
                .as_ref()
                .and_then(|offers| offers.acked(answer.ack))
                .unwrap_or(0),
            data_bytes: answer.data_bytes,
        }
    }

    /// Whether client and server used another cookie before.
    fn remember(&self, cookies: &mut Cookies, cookie: Cookie) -> bool {
        cookies
            .insert((self.client.ip(), self.server.ip()), cookie)
            .is_some_and(|before| before != cookie)
    }

    fn step(&mut self, packet: &Packet<'_>, from: Side, event: Event) {
        if self.steps.len() == Connection::MAX_STEPS {
            self.steps_omitted = self.steps_omitted.saturating_add(1);
            return;
        }
        self.steps.push(Step {
            number: packet.number,
            time: packet.time,
            from,
            event,
        });
    }

    fn note_option(&mut self, fast_open: FastOpen, from: Side) {
        let kind = match fast_open {
            FastOpen::Absent => return,
            FastOpen::Request(kind) | FastOpen::Cookie(kind, _) => kind,
            FastOpen::Malformed { kind, cookie_len } => {
                self.note(Note::MalformedOption { from, cookie_len });
                kind
            }
        };
        if kind == OptionKind::Experimental {
            self.note(Note::ExperimentalOption);
        }
    }

    pub(super) fn note(&mut self, note: Note) {
        let same = |other: &Note| std::mem::discriminant(other) == std::mem::discriminant(&note);
        if !self.notes.iter().any(same) {
            self.notes.push(note);
        }
    }
}
