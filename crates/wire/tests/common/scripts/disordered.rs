//! Packets that the capture misses, or has in another order.

use fastopen_wire::Side::{Client, Server};
use fastopen_wire::{Note, Verdict};

use super::{after, fast};
use crate::common::script::{Script, exchange, exchange_from, packet, syn, syn_ack};

pub(super) fn scripts() -> Vec<Script> {
    vec![
        Script::new(
            "the SYN-ACK comes before its SYN",
            Verdict::Accepted,
            after(vec![syn_ack(60, 18), fast(0)], exchange_from(61, 18)),
        )
        .acked(18),
        Script::new(
            "the acknowledgment comes before the SYN-ACK",
            Verdict::Ignored,
            vec![
                fast(0),
                packet(61, Client, "A", 0).data(18),
                syn_ack(60, 0),
                packet(62, Server, "A", 18),
                packet(63, Server, "A", 18).data(7),
            ],
        )
        .acked(0),
        Script::new(
            "the SYN is missing",
            Verdict::Inconclusive,
            after(vec![syn_ack(60, 18)], exchange_from(61, 18)),
        )
        .note(Note::SynMissing),
        Script::new(
            "the SYN-ACK for a fast SYN is missing",
            Verdict::Inconclusive,
            after(vec![fast(0)], exchange_from(61, 18)),
        )
        .note(Note::SynAckMissing),
        Script::new(
            "the SYN-ACK for a request is missing",
            Verdict::Inconclusive,
            after(vec![syn(0).request()], exchange(61)),
        )
        .note(Note::SynAckMissing),
        Script::new(
            "the SYN-ACK for a plain SYN is missing, and could not have said anything",
            Verdict::Plain,
            after(vec![syn(0)], exchange(61)),
        )
        .note(Note::SynAckMissing),
        Script::new(
            "all but the SYN and a late packet is missing",
            Verdict::Inconclusive,
            vec![fast(0), packet(5000, Client, "A", 900).sequence(70_000)],
        )
        .silence(300),
        Script::new(
            "the SYN that was answered is missing",
            Verdict::Inconclusive,
            after(
                vec![fast(0).stamped(5000, 0), syn_ack(1060, 0).stamped(77, 6000)],
                exchange(1061),
            ),
        )
        .note(Note::AnsweredSynMissing),
        Script::new(
            "a SYN with more to offer comes when the first has been answered",
            Verdict::Plain,
            vec![syn(0), syn_ack(60, 0), fast(1000)],
        ),
        Script::new(
            "both ends send a SYN",
            Verdict::Plain,
            vec![
                syn(0),
                packet(1, Server, "S", 0),
                syn_ack(60, 0),
                packet(61, Client, "SA", 0),
                packet(120, Client, "A", 0).data(3),
                packet(121, Server, "A", 3).data(3),
            ],
        )
        .note(Note::SimultaneousOpen),
    ]
}
