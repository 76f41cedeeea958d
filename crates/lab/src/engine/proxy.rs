//! A SYN proxy: it answers the SYN itself, opens a connection to the server once the client has completed its handshake, and splices
//! the two by shifting sequence numbers.

use fastopen_wire::Segment;

use super::direction::Direction;
use super::{Time, edited};
use crate::packet::SegmentBuilder;

/// An MSS that suits both families at an MTU of 1500. Window scaling, timestamps and SACK are not negotiated, so that there is
/// nothing to translate.
const OPTIONS: [u8; 4] = [2, 4, 0x05, 0xa0];
/// What makes the proxy's own sequence numbers differ from the client's.
const OFFSET: u32 = 0x1234_5678;

/// How far a proxied connection is.
#[derive(Debug)]
pub(super) enum Proxy {
    /// The client has been answered.
    Answered,
    /// A SYN is on its way to the server; what the client sent meanwhile waits, with the time at which it has crossed the path.
    Opening(Vec<(Time, Vec<u8>)>),
    /// Both sides are connected; the server's numbers are so far ahead of those that the client knows.
    Spliced(u32),
}

/// What comes of a proxied connection's packet.
pub(super) enum Step {
    /// It goes on, changed.
    Pass(Vec<u8>),
    /// This goes back to its sender.
    Answer(SegmentBuilder),
    /// This goes to the server.
    Open(SegmentBuilder),
    /// These go to the server, when they have crossed the path.
    Splice(Vec<(Time, Vec<u8>)>),
    /// Nothing.
    Consume,
}

/// The proxy's answer to a SYN: no Fast Open, and no data acknowledged.
pub(super) fn answer(syn: &[u8]) -> Option<SegmentBuilder> {
    let syn = Segment::from_ip(syn)
        .ok()
        .filter(|segment| segment.flags.syn && !segment.flags.ack)?;
    Some(
        SegmentBuilder::new(syn.destination, syn.source)
            .with_syn()
            .with_sequence(own_sequence(syn.sequence))
            .with_ack(syn.sequence.wrapping_add(1))
            .with_options(OPTIONS),
    )
}

fn own_sequence(client_sequence: u32) -> u32 {
    client_sequence.wrapping_add(OFFSET)
}

/// What comes of a proxied connection's packet, and how far the connection is then.
pub(super) fn step(proxy: Proxy, direction: Direction, due: Time, packet: &[u8]) -> (Proxy, Step) {
    let Ok(segment) = Segment::from_ip(packet) else {
        return (proxy, Step::Pass(packet.to_vec()));
    };
    match direction {
        Direction::ToServer => from_client(proxy, &segment, due, packet),
        Direction::ToClient => from_server(proxy, &segment, packet),
    }
}

fn from_client(proxy: Proxy, segment: &Segment<'_>, due: Time, packet: &[u8]) -> (Proxy, Step) {
    match proxy {
        // The SYN again: the answer was lost.
        proxy if segment.flags.syn => {
            let step = answer(packet).map_or(Step::Consume, Step::Answer);
            (proxy, step)
        }
        Proxy::Answered if segment.flags.rst => (Proxy::Answered, Step::Consume),
        Proxy::Answered => {
            let open = Step::Open(syn_to_server(segment));
            (Proxy::Opening(vec![(due, packet.to_vec())]), open)
        }
        Proxy::Opening(mut waiting) => {
            waiting.push((due, packet.to_vec()));
            (Proxy::Opening(waiting), Step::Consume)
        }
        Proxy::Spliced(ahead) => (Proxy::Spliced(ahead), Step::Pass(to_server(packet, ahead))),
    }
}

fn from_server(proxy: Proxy, segment: &Segment<'_>, packet: &[u8]) -> (Proxy, Step) {
    match proxy {
        Proxy::Opening(waiting) if segment.flags.syn => {
            // The server acknowledges the client's SYN and no more, so its number is one ahead of it.
            let known_to_client = own_sequence(segment.acknowledgment.wrapping_sub(1));
            let ahead = segment.sequence.wrapping_sub(known_to_client);
            let waiting = waiting
                .iter()
                .map(|(due, packet)| (*due, to_server(packet, ahead)))
                .collect();
            (Proxy::Spliced(ahead), Step::Splice(waiting))
        }
        // The server refuses: the client learns it as from a connection that it has.
        Proxy::Opening(waiting) if segment.flags.rst => {
            let sequence = own_sequence(segment.acknowledgment.wrapping_sub(1)).wrapping_add(1);
            let packet = edited(packet.to_vec(), |packet| packet.set_sequence(sequence));
            (Proxy::Opening(waiting), Step::Pass(packet))
        }
        Proxy::Spliced(ahead) if !segment.flags.syn => {
            let sequence = segment.sequence.wrapping_sub(ahead);
            let packet = edited(packet.to_vec(), |packet| packet.set_sequence(sequence));
            (Proxy::Spliced(ahead), Step::Pass(packet))
        }
        proxy => (proxy, Step::Consume),
    }
}

fn syn_to_server(ack: &Segment<'_>) -> SegmentBuilder {
    SegmentBuilder::new(ack.source, ack.destination)
        .with_syn()
        .with_sequence(ack.sequence.wrapping_sub(1))
        .with_options(OPTIONS)
}

fn to_server(packet: &[u8], ahead: u32) -> Vec<u8> {
    let acknowledgment = Segment::from_ip(packet).map_or(0, |segment| segment.acknowledgment);
    edited(packet.to_vec(), |packet| {
        packet.set_acknowledgment(acknowledgment.wrapping_add(ahead));
    })
}
