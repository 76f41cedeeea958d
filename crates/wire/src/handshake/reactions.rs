//! What each kind of packet changes in what is known of its connection.

use crate::{Cookie, FastOpen, OptionKind};

use super::judge::Case;
use super::machine::{Answer, Cookies, Handshake, Seen};
use super::offers::{Offers, timestamps};
use super::packet::Packet;
use super::{Connection, Event, FallbackCause, Note, Side, Step, Syn, Verdict};

impl Handshake {
    pub(super) fn take_syn(&mut self, packet: &Packet<'_>, from: Side, cookies: &mut Cookies) {
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

    pub(super) fn take_syn_ack(&mut self, packet: &Packet<'_>, from: Side, cookies: &mut Cookies) {
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

    pub(super) fn take_reset(&mut self, packet: &Packet<'_>, from: Side) {
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
    pub(super) fn take_other(&mut self, packet: &Packet<'_>, from: Side) {
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
