//! One connection's handshake, packet by packet.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::cookie::Cookie;
use crate::icmp::IcmpError;
use crate::option::FastOpen;
use crate::segment::Segment;

use super::client_syns::ClientSyns;
use super::connection::SynAck;
use super::limits::Limits;
use super::memory::Memory;
use super::note::{FallbackCause, Note};
use super::packet::Packet;
use super::step::{Side, Step};
use super::verdict::Verdict;

/// The last cookie that a client and a server were seen to use.
pub(super) type Cookies = Memory<(IpAddr, IpAddr), Cookie>;

/// What is known of one connection so far.
#[derive(Clone, Debug)]
pub(super) struct Handshake {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) started: Duration,
    pub(super) syns: Option<ClientSyns>,
    pub(super) answer: Option<Answer>,
    pub(super) verdict: Option<(Verdict, u64)>,
    /// The client has acknowledged a SYN-ACK that was not seen.
    pub(super) answer_missed: bool,
    /// Packets came that are no answer, but mean that one may have been missed.
    pub(super) other_packets: bool,
    /// When an ICMP error quoted the SYN.
    pub(super) icmp_error: Option<Duration>,
    pub(super) seen: [Seen; 2],
    pub(super) reset: bool,
    /// Where what the client has sent behind its SYN ends, and when it was sent.
    pub(super) sent: Option<(u32, Duration)>,
    /// How many packets were sent again after the handshake.
    pub(super) resent: u32,
    /// The packet with the server's first data, where it came before the client's acknowledgment.
    pub(super) data_before_ack: Option<u64>,
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
    pub(super) ack: bool,
    pub(super) data: bool,
    pub(super) fin: bool,
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
            syns: None,
            answer: None,
            verdict: None,
            answer_missed: false,
            other_packets: false,
            icmp_error: None,
            seen: [Seen::default(); 2],
            reset: false,
            sent: None,
            resent: 0,
            data_before_ack: None,
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
            return self.verdict.is_none();
        }
        match (&self.syns, &self.answer) {
            (Some(syns), _) => syns.isn == segment.sequence,
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
            (true, ..) => self.on_reset(packet, from),
            (_, true, false) => self.on_syn(packet, from, cookies),
            (_, true, true) => self.on_syn_ack(packet, from, cookies),
            _ => self.on_other(packet, from),
        }
        if was_open && !self.is_open() {
            self.due = packet.time.saturating_add(limits.settle);
        } else if self.is_open() && flags.syn && !flags.ack && from == Side::Client {
            self.due = packet.time.saturating_add(limits.patience);
        }
    }

    /// Takes an ICMP error about the connection's packets.
    pub(super) fn take_icmp(&mut self, number: u64, time: Duration, error: &IcmpError) {
        let quotes_the_syn = error.source == self.client
            && error.syn != Some(false)
            && self.syns.as_ref().is_some_and(|syns| syns.isn == error.sequence);
        if quotes_the_syn && self.is_open() {
            self.on_icmp_error(number, time, error);
        }
    }

    /// No answer has come, and none has been missed.
    pub(super) fn is_open(&self) -> bool {
        self.verdict.is_none() && self.answer.is_none() && !self.answer_missed
    }

    /// Whether nothing is missing from the report: the verdict stands, and the first data have passed each way, or the end has.
    pub(super) fn is_complete(&self) -> bool {
        let [client, server] = &self.seen;
        match self.verdict {
            _ if self.repeats() => true,
            None => false,
            Some((Verdict::Refused | Verdict::Unanswered, _)) => true,
            // Whether to keep following the connection, to see if the server stays silent.
            Some((Verdict::Accepted, _)) => {
                let served = client.ack && (server.data || server.fin);
                served || (client.fin && server.ack) || self.reset
            }
            Some((verdict, _)) => {
                let answered = client.ack && server.data && (client.data || verdict == Verdict::Dataless);
                answered || client.fin || (server.fin && client.ack) || self.reset
            }
        }
    }

    /// It turned out to be a duplicate of a connection that was already reported.
    pub(super) fn repeats(&self) -> bool {
        self.replay_of
            .is_some_and(|isn| self.answer.is_some_and(|answer| answer.isn == isn))
    }

    /// When to stop waiting for more packets.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    pub(super) fn syn_ack(&self, answer: &Answer) -> SynAck {
        SynAck {
            fast_open: answer.fast_open,
            acked_bytes: self
                .syns
                .as_ref()
                .and_then(|syns| syns.acked(answer.ack))
                .unwrap_or(0),
            data_bytes: answer.data_bytes,
        }
    }
}
