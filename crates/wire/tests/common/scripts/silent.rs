//! Servers that accept the data and are silent from then on.

use fastopen_wire::Side::{Client, Server};
use fastopen_wire::{Note, Verdict};

use super::fast;
use crate::common::script::{Script, packet, syn_ack};

pub(super) fn scripts() -> Vec<Script> {
    let more = |at_ms| packet(at_ms, Client, "A", 0).sequence(18).data(50);
    let resent = |resent| Note::SilentAfterwards { resent };
    vec![
        Script::new(
            "more data are sent again and again",
            Verdict::Accepted,
            vec![fast(0), syn_ack(60, 18), more(61), more(330), more(850)],
        )
        .note(resent(2)),
        Script::new(
            "the FIN is sent again",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                packet(61, Client, "A", 0).sequence(18),
                packet(90, Client, "FA", 0).sequence(18),
                packet(350, Client, "FA", 0).sequence(18),
            ],
        )
        .note(resent(1)),
        Script::new(
            "the server misses the acknowledgment of its SYN-ACK",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                packet(61, Client, "A", 0).sequence(18),
                syn_ack(1060, 18),
                packet(1061, Client, "A", 0).sequence(18),
            ],
        )
        .note(resent(1)),
        // It is reported after three seconds, whatever follows.
        Script::new(
            "the server sends its SYN-ACK again and again",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                syn_ack(1060, 18),
                syn_ack(3100, 18),
                syn_ack(7100, 18),
            ],
        )
        .note(resent(1)),
        Script::new(
            "what was sent again is answered",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                more(61),
                more(330),
                packet(390, Server, "A", 68),
                packet(500, Server, "A", 68).data(9),
            ],
        ),
        Script::new(
            "a server that takes its time",
            Verdict::Accepted,
            vec![fast(0), syn_ack(60, 18), packet(61, Client, "A", 0).sequence(18)],
        )
        .silence(5),
    ]
}
