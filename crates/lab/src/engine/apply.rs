//! Rules at work on one packet.

use fastopen_wire::Segment;

use super::matching::View;
use super::{Departure, Engine, Flow, Transit, edited, proxy, topology};
use crate::packet::SegmentBuilder;
use crate::packet::{TcpPacket, packet_too_big, prohibited};
use crate::scenario::{Action, Forgery, Replay, SegmentKind};

impl Engine {
    /// Applies all rules in order, until one ends the packet's way.
    pub(super) fn apply_rules(&mut self, mut transit: Transit) {
        if self.is_blackholed(&transit) {
            self.counters.dropped += 1;
            return;
        }
        let mut rules = std::mem::take(&mut self.rules);
        let delivered = rules.iter_mut().all(|rule| {
            let takes = rule.takes(&self.view(&transit));
            !takes || self.act(&rule.action, &mut transit)
        });
        self.rules = rules;
        if delivered {
            self.leave(transit);
        }
    }

    fn view<'a>(&self, transit: &'a Transit) -> View<'a> {
        let address = topology::destination(&transit.packet);
        let member = transit.flow().and_then(|(key, _)| self.flows.get(key)?.member);
        View {
            from: transit.from,
            to: address.and_then(|address| self.topology.target(address, member)),
            kind: transit.tracked.map(|tracked| tracked.kind),
            packet: &transit.packet,
        }
    }

    /// Does what a rule says; whether the packet goes on.
    fn act(&mut self, action: &Action, transit: &mut Transit) -> bool {
        let one_way = self.one_way;
        let flow = transit.flow().map(|(key, _)| key);
        match action {
            Action::Delay(by) => transit.due += *by,
            Action::Duplicate => transit.copies += 1,
            Action::StripOption => transit.edit(TcpPacket::strip_fast_open),
            Action::StripData => transit.edit(TcpPacket::strip_data),
            Action::ForgeCookie(forgery) => {
                transit.edit(|packet| packet.change_cookie(|cookie| forge(forgery, cookie)));
            }
            Action::Hold(hold) => transit.hold = Some(hold.clone()),
            Action::Replay(replay) => self.schedule_replay(replay, transit),
            Action::Rebind(to) => {
                if let Some(key) = flow {
                    self.flows.rebind(key, to);
                }
            }
            Action::Blackhole => {
                if let Some(key) = flow {
                    self.flows.with(key, |flow| flow.blackholed = true);
                }
            }
            Action::SynProxy => {
                let answer = proxy::answer(&transit.packet);
                let (Some(key), Some(segment)) = (flow, answer) else {
                    return true;
                };
                self.flows.with(key, Flow::begin_proxy);
                let answer = transit.answer(one_way, &segment);
                self.enqueue(answer);
                return false;
            }
            Action::Reset => {
                if let Some(segment) = reset(&transit.packet) {
                    let answer = transit.answer(one_way, &segment);
                    self.enqueue(answer);
                }
                self.counters.dropped += 1;
                return false;
            }
            Action::TooBig(mtu) => {
                self.send_back(transit, packet_too_big(&transit.packet, *mtu));
                return false;
            }
            Action::Prohibit => {
                self.send_back(transit, prohibited(&transit.packet));
                return false;
            }
            Action::Drop => {
                self.counters.dropped += 1;
                return false;
            }
        }
        true
    }

    /// Drops a packet, and sends its sender an ICMP error about it.
    fn send_back(&mut self, transit: &Transit, error: Option<Vec<u8>>) {
        if let Some(packet) = error {
            self.enqueue(Departure {
                at: transit.due + self.one_way,
                from: None,
                to: transit.from,
                packet,
            });
        }
        self.counters.dropped += 1;
    }

    fn schedule_replay(&mut self, replay: &Replay, transit: &Transit) {
        let copy = match replay.source_port {
            Some(port) => edited(transit.packet.clone(), |packet| packet.set_source_port(port)),
            None => transit.packet.clone(),
        };
        match transit.flow() {
            Some((key, direction)) if replay.closed => {
                self.flows
                    .with(key, |flow| flow.after_close.push((replay.after, direction, copy)));
            }
            flow => self.deliver(transit.due + replay.after, None, copy, flow),
        }
    }

    fn is_blackholed(&self, transit: &Transit) -> bool {
        let established = transit
            .tracked
            .is_some_and(|tracked| tracked.kind == SegmentKind::Established);
        let flow = transit.flow().and_then(|(key, _)| self.flows.get(key));
        established && flow.is_some_and(|flow| flow.blackholed)
    }
}

fn forge(forgery: &Forgery, cookie: &[u8]) -> Vec<u8> {
    match forgery {
        Forgery::Invert => cookie.iter().map(|byte| !byte).collect(),
        Forgery::Set(bytes) => bytes.clone(),
        Forgery::Resize(len) => {
            let mut cookie = cookie.to_vec();
            cookie.resize(*len, 0);
            cookie
        }
    }
}

/// The RST that a packet's sender accepts (RFC 9293, section 3.10.7.1); none for a RST, or for what is not TCP.
fn reset(packet: &[u8]) -> Option<SegmentBuilder> {
    let segment = Segment::from_ip(packet)
        .ok()
        .filter(|segment| !segment.flags.rst)?;
    let reset = SegmentBuilder::new(segment.destination, segment.source)
        .with_rst()
        .with_window(0);
    if segment.flags.ack {
        return Some(reset.with_sequence(segment.acknowledgment));
    }
    let len = SegmentBuilder::from(&segment).sequence_len();
    Some(reset.with_ack(segment.sequence.wrapping_add(len)))
}
