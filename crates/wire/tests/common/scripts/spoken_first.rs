//! Servers that speak first, seen near the client and near the server.

use fastopen_wire::Side::{Client, Server};
use fastopen_wire::{Note, Verdict};

use super::COOKIE;
use crate::common::script::{Script, packet, syn, syn_ack};

pub(super) fn scripts() -> Vec<Script> {
    let dataless = |at_ms| syn(at_ms).cookie(&COOKIE);
    let early = |number| Note::EarlyData { number };
    vec![
        Script::new(
            "the banner comes right behind the SYN-ACK",
            Verdict::Dataless,
            vec![
                dataless(0),
                syn_ack(60, 0),
                packet(60, Client, "A", 0),
                packet(62, Server, "A", 0).data(30),
                packet(62, Client, "A", 30),
            ],
        )
        .note(early(4)),
        Script::new(
            "the banner comes a round trip after the SYN-ACK",
            Verdict::Dataless,
            vec![
                dataless(0),
                syn_ack(60, 0),
                packet(60, Client, "A", 0),
                packet(121, Server, "A", 0).data(30),
                packet(121, Client, "A", 30),
            ],
        ),
        Script::new(
            "near the server, the banner leaves before the client's acknowledgment comes",
            Verdict::Dataless,
            vec![
                dataless(0),
                syn_ack(0, 0),
                packet(1, Server, "A", 0).data(30),
                packet(61, Client, "A", 0),
                packet(62, Client, "A", 30),
            ],
        )
        .note(early(3)),
        Script::new(
            "near the server, the acknowledgment is not captured",
            Verdict::Dataless,
            vec![
                dataless(0),
                syn_ack(0, 0),
                packet(61, Server, "A", 0).data(30),
                packet(122, Client, "A", 30),
            ],
        ),
        Script::new(
            "a banner in the SYN-ACK",
            Verdict::Dataless,
            vec![dataless(0), syn_ack(60, 0).data(30), packet(61, Client, "A", 30)],
        )
        .note(early(2)),
    ]
}
