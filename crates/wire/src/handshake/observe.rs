//! How each kind of packet changes the state of its connection.

use std::net::SocketAddr;
use std::time::Duration;

use crate::cookie::Cookie;
use crate::icmp::IcmpError;
use crate::option::{FastOpen, OptionKind};

use super::client_syns::{ClientSyns, SHORTEST_TIMEOUT, timestamps};
use super::connection::{Connection, Syn};
use super::judge::Case;
use super::machine::{Answer, Cookies, Handshake, Seen};
use super::note::{FallbackCause, Note};
use super::packet::Packet;
use super::step::{Event, Side, Step};
use super::verdict::Verdict;

impl Handshake {
    pub(super) fn on_syn(&mut self, packet: &Packet<'_>, from: Side, cookies: &mut Cookies) {
        let syn = Syn::of(packet.segment);
        let is_offer = from == Side::Client && self.verdict.is_none();
        let changed = match syn.fast_open {
            FastOpen::Cookie(_, cookie) if is_offer => self.remember(cookies, cookie),
            _ => false,
        };
        self.add_syn(packet, from, syn, changed);
        if is_offer {
            self.decide(cookies);
        }
    }

    /// Takes a SYN; `cookie_changed` says that it is a client's with another cookie than was used before.
    pub(super) fn add_syn(&mut self, packet: &Packet<'_>, from: Side, syn: Syn, cookie_changed: bool) {
        let again = from == Side::Client && self.syns.is_some();
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
            self.other_packets = true;
            self.note(Note::SimultaneousOpen);
            return;
        }
        if self.verdict.is_some() {
            return;
        }
        if syn.data_bytes > 0 && !matches!(syn.fast_open, FastOpen::Cookie(..)) {
            self.note(Note::DataWithoutCookie);
        }
        if cookie_changed {
            self.note(Note::CookieChanged);
        }
        let before = self.syns.as_ref().map(|syns| (syns.best, syns.first));
        if let Some((best, first)) = before {
            if syn.is_plain() && !best.is_plain() && self.answer.is_none() {
                let waited = packet.time.saturating_sub(first);
                let cause = self.fallback_cause(packet.time, waited);
                self.note(Note::FallbackAfter { cause, waited });
            }
        }
        self.syns
            .get_or_insert_with(|| ClientSyns::new(packet, syn))
            .add(packet, syn);
    }

    /// Why the client sends a plain SYN now, so long after its first.
    fn fallback_cause(&self, now: Duration, waited: Duration) -> FallbackCause {
        match self.icmp_error {
            Some(at) if now.saturating_sub(at) < SHORTEST_TIMEOUT => FallbackCause::Icmp,
            _ if waited < SHORTEST_TIMEOUT => FallbackCause::Unseen,
            _ => FallbackCause::Timeout,
        }
    }

    pub(super) fn on_icmp_error(&mut self, number: u64, time: Duration, error: &IcmpError) {
        let (by, kind) = (error.from, error.kind);
        self.icmp_error = Some(time);
        self.push(Step {
            number,
            time,
            from: Side::Server,
            event: Event::IcmpError { by, kind },
        });
        self.note(Note::IcmpError { by, kind });
    }

    pub(super) fn on_syn_ack(&mut self, packet: &Packet<'_>, from: Side, cookies: &mut Cookies) {
        let segment = packet.segment;
        let fast_open = segment.fast_open();
        let acked_bytes = match &self.syns {
            Some(syns) if from == Side::Server => syns.acked(segment.acknowledgment),
            _ => None,
        };
        self.step(
            packet,
            from,
            Event::SynAck {
                fast_open,
                acked_bytes,
                sent_bytes: self.syns.as_ref().map_or(0, |syns| syns.best.data_bytes),
                data_bytes: segment.payload_len,
                again: self
                    .answer
                    .is_some_and(|answer| answer.isn == segment.sequence && from == Side::Server),
            },
        );
        self.note_option(fast_open, from);
        if from == Side::Client {
            self.other_packets = true;
        } else if self.syns.is_some() && acked_bytes.is_none() {
            self.other_packets = true;
            self.note(Note::SynAckMismatch);
        } else if let Some(answer) = self.answer {
            if answer.isn != segment.sequence {
                self.note(Note::AnsweredTwice);
            } else if packet.time.saturating_sub(answer.time) >= SHORTEST_TIMEOUT {
                self.resent = self.resent.saturating_add(1);
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
            self.decide(cookies);
        }
    }

    /// Gives the verdict, if the SYNs and the SYN-ACK leave only one.
    fn decide(&mut self, cookies: &mut Cookies) {
        let (Some(syns), Some(answer)) = (&self.syns, &self.answer) else {
            return;
        };
        let offer = syns.best;
        let case = Case {
            offer,
            answer: self.syn_ack(answer),
            plain_sent: syns.plain_sent,
            answered: syns.answered(answer.echo),
        };
        let number = answer.number;
        let granted = answer.fast_open;
        let has_data = answer.data_bytes > 0;
        if self.verdict.is_none() {
            self.verdict = case.verdict().map(|verdict| (verdict, number));
        }
        if has_data && matches!(self.verdict, Some((Verdict::Dataless, _))) {
            self.note(Note::EarlyData { number });
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

    pub(super) fn on_reset(&mut self, packet: &Packet<'_>, from: Side) {
        self.step(packet, from, Event::Rst);
        let answers = from == Side::Server
            && packet.segment.flags.ack
            && self.is_open()
            && self
                .syns
                .as_ref()
                .is_some_and(|syns| syns.acked(packet.segment.acknowledgment).is_some());
        if answers {
            self.verdict = Some((Verdict::Refused, packet.number));
        } else if self.is_open() {
            self.other_packets = true;
        } else {
            self.reset = true;
            let before_data = !self.server_has_sent_data(packet, from);
            self.note(Note::Reset {
                by: from,
                before_data,
            });
        }
    }

    /// Whether the server has sent data before that reset. A filter may have let only SYNs and resets through, but the reset's number says
    /// how far the server was.
    fn server_has_sent_data(&self, reset: &Packet<'_>, from: Side) -> bool {
        let Some(answer) = self.answer else {
            return self.seen[Side::Server as usize].data;
        };
        let segment = reset.segment;
        let reached = match (from, segment.flags.ack) {
            // 0 stands where the server knew no number (RFC 9293, section 3.10.7.1).
            (Side::Server, _) => Some(segment.sequence).filter(|number| *number != 0),
            (Side::Client, true) => Some(segment.acknowledgment),
            (Side::Client, false) => None,
        };
        let start = answer.isn.wrapping_add(1);
        // Its FIN takes one number too; modulo 2³².
        let is_beyond = |number: u32| (number.wrapping_sub(start) as i32) > 1;
        self.seen[Side::Server as usize].data || answer.data_bytes > 0 || reached.is_some_and(is_beyond)
    }

    /// A packet without SYN and RST.
    pub(super) fn on_other(&mut self, packet: &Packet<'_>, from: Side) {
        let segment = packet.segment;
        let acknowledges = segment.flags.ack && segment.acknowledgment != 0;
        if from == Side::Client && self.is_open() && !acknowledges {
            self.on_packet_without_answer(packet);
            return;
        }
        self.other_packets = true;
        if from == Side::Client {
            self.note_resent(packet);
        }
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
        match from {
            Side::Client if segment.flags.ack && self.is_open() => self.on_unseen_answer(packet),
            Side::Client if now.ack && !before.ack => self.on_first_ack(packet),
            Side::Server if now.data && !before.data => self.on_first_server_data(packet),
            _ => {}
        }
    }

    /// A client that acknowledges nothing has had no SYN-ACK; one that ends its side then has given up.
    fn on_packet_without_answer(&mut self, packet: &Packet<'_>) {
        let segment = packet.segment;
        let follows_the_syn = matches!(&self.syns, Some(syns) if syns.acked(segment.sequence).is_some());
        if !follows_the_syn {
            self.other_packets = true;
        } else if segment.flags.fin {
            self.step(packet, Side::Client, Event::Fin);
            self.verdict = Some((Verdict::Unanswered, packet.number));
        } else if segment.payload_len > 0 {
            let data_bytes = segment.payload_len;
            self.step(packet, Side::Client, Event::Data { data_bytes });
        }
    }

    /// Counts what the client sends again behind its SYN.
    fn note_resent(&mut self, packet: &Packet<'_>) {
        let segment = packet.segment;
        let len = segment.payload_len as u32 + u32::from(segment.flags.fin);
        if len == 0 {
            return;
        }
        let end = segment.sequence.wrapping_add(len);
        match self.sent {
            // Not beyond what was sent before, modulo 2³².
            Some((sent, at)) if (sent.wrapping_sub(end) as i32) >= 0 => {
                let again = packet.time.saturating_sub(at) >= SHORTEST_TIMEOUT;
                self.resent = self.resent.saturating_add(again.into());
            }
            _ => self.sent = Some((end, packet.time)),
        }
    }

    /// The server's first data in a connection whose SYN had a cookie and no data. They come before the server can have had the
    /// client's acknowledgment where less than half a round trip lies between the SYN-ACK and them.
    fn on_first_server_data(&mut self, packet: &Packet<'_>) {
        let (Some((Verdict::Dataless, _)), Some(answer), Some(syns)) =
            (self.verdict, self.answer, &self.syns)
        else {
            return;
        };
        let round_trip = answer.time.saturating_sub(syns.last);
        let waited = packet.time.saturating_sub(answer.time);
        if waited < round_trip / 2 {
            self.note(Note::EarlyData {
                number: packet.number,
            });
        } else if !self.seen[Side::Client as usize].ack {
            self.data_before_ack = Some(packet.number);
        }
    }

    /// The client's first acknowledgment: where it covers the SYN-ACK alone and the server's data went before it, the server did not
    /// wait for it. That is how it looks near the server.
    fn on_first_ack(&mut self, packet: &Packet<'_>) {
        let (Some(number), Some(answer)) = (self.data_before_ack, self.answer) else {
            return;
        };
        let of_the_syn_ack = answer.isn.wrapping_add(1).wrapping_add(answer.data_bytes as u32);
        if packet.segment.acknowledgment == of_the_syn_ack {
            self.note(Note::EarlyData { number });
        }
    }

    /// The client goes on as after a SYN-ACK that was not seen: only where the SYN offered nothing is it certain what the SYN-ACK said.
    fn on_unseen_answer(&mut self, packet: &Packet<'_>) {
        let Some(syns) = &self.syns else { return };
        if syns.acked(packet.segment.sequence).is_none() {
            return;
        }
        self.answer_missed = true;
        if !syns.best.is_fast() && !matches!(syns.best.fast_open, FastOpen::Request(_)) {
            self.verdict = Some((Verdict::Plain, packet.number));
        }
    }

    /// Whether client and server used another cookie before.
    fn remember(&self, cookies: &mut Cookies, cookie: Cookie) -> bool {
        remember(cookies, self.client, self.server, cookie)
    }

    fn step(&mut self, packet: &Packet<'_>, from: Side, event: Event) {
        self.push(Step {
            number: packet.number,
            time: packet.time,
            from,
            event,
        });
    }

    fn push(&mut self, step: Step) {
        if self.steps.len() == Connection::MAX_STEPS {
            self.steps_omitted = self.steps_omitted.saturating_add(1);
            return;
        }
        self.steps.push(step);
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

/// Whether that client and server used another cookie before.
pub(super) fn remember(
    cookies: &mut Cookies,
    client: SocketAddr,
    server: SocketAddr,
    cookie: Cookie,
) -> bool {
    cookies
        .insert((client.ip(), server.ip()), cookie)
        .is_some_and(|before| before != cookie)
}
