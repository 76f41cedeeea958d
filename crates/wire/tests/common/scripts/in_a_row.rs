//! Several connections between the same hosts.

use std::time::Duration;

use fastopen_wire::Side::Server;
use fastopen_wire::{FallbackCause, Note, Verdict};

use super::{COOKIE, OTHER, after, fast};
use crate::common::script::{Packet, Script, exchange, exchange_from, packet, syn, syn_ack};

pub(super) fn scripts() -> Vec<Script> {
    let shifted = |packets: Vec<Packet>, attempt: u32| -> Vec<Packet> {
        packets
            .into_iter()
            .map(|packet| packet.attempt(attempt))
            .collect()
    };
    let other_port = |packets: Vec<Packet>| -> Vec<Packet> {
        packets.into_iter().map(|packet| packet.port_shift(1)).collect()
    };
    let fallback = |cause, waited_ms| Note::FallbackAfter {
        cause,
        waited: Duration::from_millis(waited_ms),
    };
    vec![
        Script::new(
            "unanswered, then plain from the same ports",
            Verdict::Unanswered,
            vec![fast(0).stamped(5000, 0), syn(1000).stamped(6000, 0)],
        )
        .then(
            Verdict::Plain,
            shifted(after(vec![syn(1250), syn_ack(1310, 0)], exchange(1311)), 1),
        )
        .note(fallback(FallbackCause::Unanswered, 1250)),
        Script::new(
            "one SYN, then another from the same ports",
            Verdict::Inconclusive,
            vec![fast(0)],
        )
        .then(
            Verdict::Plain,
            shifted(after(vec![syn(250), syn_ack(310, 0)], exchange(311)), 1),
        ),
        Script::new(
            "refused, then plain from the same ports",
            Verdict::Refused,
            vec![fast(0), packet(60, Server, "RA", 18)],
        )
        .then(
            Verdict::Plain,
            shifted(after(vec![syn(100), syn_ack(160, 0)], exchange(161)), 1),
        )
        .note(fallback(FallbackCause::Refused, 100)),
        Script::new(
            "the same ports are used again",
            Verdict::Accepted,
            after(vec![fast(0), syn_ack(60, 18)], exchange_from(61, 18)),
        )
        .then(
            Verdict::Ignored,
            shifted(after(vec![fast(500), syn_ack(560, 0)], exchange(561)), 1),
        ),
        Script::new(
            "the same ports are used again at once",
            Verdict::Accepted,
            vec![fast(0), syn_ack(60, 18)],
        )
        .then(
            Verdict::Ignored,
            shifted(after(vec![fast(500), syn_ack(560, 0)], exchange(561)), 1),
        ),
        Script::new(
            "the handshake's packets come again after its end",
            Verdict::Accepted,
            after(
                after(vec![fast(0), syn_ack(60, 18)], exchange_from(61, 18)),
                vec![syn_ack(500, 18), fast(600), syn_ack(660, 18)],
            ),
        )
        .acked(18),
        Script::new(
            "the SYN is replayed",
            Verdict::Accepted,
            after(vec![fast(0), syn_ack(60, 18)], exchange_from(61, 18)),
        )
        .then(
            Verdict::Accepted,
            vec![fast(9000), syn_ack(9060, 18).sequence(12345)],
        )
        .acked(18)
        .note(Note::Replayed),
        Script::new(
            "another server key behind the same address",
            Verdict::CookieGranted,
            after(
                vec![syn(0).request(), syn_ack(60, 0).cookie(&COOKIE)],
                exchange(61),
            ),
        )
        .then(
            Verdict::CookieGranted,
            other_port(after(
                vec![syn(500).request(), syn_ack(560, 0).cookie(&OTHER)],
                exchange(561),
            )),
        )
        .note(Note::CookieChanged),
        Script::new(
            "the granted cookie is used",
            Verdict::CookieGranted,
            after(
                vec![syn(0).request(), syn_ack(60, 0).cookie(&COOKIE)],
                exchange(61),
            ),
        )
        .then(
            Verdict::Accepted,
            other_port(after(vec![fast(500), syn_ack(560, 18)], exchange_from(561, 18))),
        ),
    ]
}
