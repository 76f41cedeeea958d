//! Packets that have passed the rules: when they leave, where to, and under which address.

use super::direction::Direction;
use super::flow::{FlowKey, Until, hold_until};
use super::queue::ROOM;
use super::{Departure, Engine, Flow, Held, PortId, Time, Transit, topology};

impl Engine {
    /// The rules are done: the packet is delivered, or held back.
    pub(super) fn leave(&mut self, transit: Transit) {
        let Transit {
            from,
            mut due,
            packet,
            copies,
            hold,
            ..
        } = transit;
        let flow = transit.tracked.and_then(|tracked| tracked.flow);
        let until = match flow {
            Some((key, direction)) => self
                .flows
                .with(key, |flow| flow.hold(direction, due, hold.as_ref()))
                .flatten(),
            None => hold.map(|hold| hold_until(hold.until, due)),
        };
        let parked = match until {
            Some(Until::Time(time)) => {
                due = due.max(time);
                false
            }
            Some(Until::Released) => true,
            None => false,
        };
        for _ in 0..copies {
            let packet = packet.clone();
            let Some(departure) = self.departure(due, Some(from), packet, flow) else {
                return;
            };
            if parked {
                let flow = flow.map(|(key, _)| key);
                self.park(Held { flow, departure });
            } else {
                self.enqueue(departure);
            }
        }
    }

    fn park(&mut self, held: Held) {
        if self.held.len() >= ROOM {
            self.counters.overflowed += 1;
            return;
        }
        self.held.push(held);
    }

    pub(super) fn deliver(
        &mut self,
        at: Time,
        from: Option<PortId>,
        packet: Vec<u8>,
        flow: Option<(FlowKey, Direction)>,
    ) {
        if let Some(departure) = self.departure(at, from, packet, flow) {
            self.enqueue(departure);
        }
    }

    fn departure(
        &mut self,
        at: Time,
        from: Option<PortId>,
        packet: Vec<u8>,
        flow: Option<(FlowKey, Direction)>,
    ) -> Option<Departure> {
        let member = flow.and_then(|(key, _)| self.flows.get(key)?.member);
        let to =
            topology::destination(&packet).and_then(|address| self.topology.route(address, member, &packet));
        let Some(to) = to else {
            self.counters.unroutable += 1;
            return None;
        };
        let packet = self.flows.translate(flow, packet);
        Some(Departure { at, from, to, packet })
    }

    pub(super) fn enqueue(&mut self, departure: Departure) {
        if !self.queue.push(departure) {
            self.counters.overflowed += 1;
        }
    }

    /// Schedules what was to be replayed after a connection's end, if this packet ends it.
    pub(super) fn replay_after_close(&mut self, transit: &Transit) {
        let Some((key, _)) = transit.flow() else { return };
        let copies = self.flows.with(key, Flow::take_replays).unwrap_or_default();
        for (after, direction, copy) in copies {
            self.deliver(transit.due + after, None, copy, Some((key, direction)));
        }
    }
}
