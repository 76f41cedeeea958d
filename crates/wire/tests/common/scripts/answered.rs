//! Handshakes on a path that keeps every packet.

use fastopen_wire::Side::{Client, Server};
use fastopen_wire::{Note, Verdict};

use super::{COOKIE, OTHER, after, fast};
use crate::common::script::{Script, exchange, exchange_from, packet, syn, syn_ack};

pub(super) fn scripts() -> Vec<Script> {
    vec![
        Script::new(
            "no option at all",
            Verdict::Plain,
            after(vec![syn(0), syn_ack(60, 0)], exchange(61)),
        ),
        Script::new(
            "a cookie is asked for and granted",
            Verdict::CookieGranted,
            after(
                vec![syn(0).request(), syn_ack(60, 0).cookie(&COOKIE)],
                exchange(61),
            ),
        ),
        Script::new(
            "a cookie is asked for and not granted",
            Verdict::CookieNotGranted,
            after(vec![syn(0).request(), syn_ack(60, 0)], exchange(61)),
        ),
        Script::new(
            "the data are accepted",
            Verdict::Accepted,
            after(vec![fast(0), syn_ack(60, 18)], exchange_from(61, 18)),
        )
        .acked(18),
        Script::new(
            "the server answers before the client's acknowledgment",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                packet(61, Server, "A", 18).data(1400),
                packet(62, Client, "A", 1400).sequence(18),
            ],
        )
        .acked(18),
        Script::new(
            "accepted, and the key has changed",
            Verdict::Accepted,
            after(
                vec![fast(0), syn_ack(60, 18).cookie(&OTHER)],
                exchange_from(61, 18),
            ),
        )
        .acked(18)
        .note(Note::CookieRenewed),
        Script::new(
            "the data are ignored",
            Verdict::Ignored,
            after(vec![fast(0), syn_ack(60, 0)], exchange(61)),
        )
        .acked(0),
        Script::new(
            "half of the data is acknowledged",
            Verdict::Ignored,
            after(vec![fast(0), syn_ack(60, 9)], exchange_from(61, 9)),
        )
        .acked(9),
        Script::new(
            "a stale cookie is renewed",
            Verdict::Ignored,
            after(vec![fast(0), syn_ack(60, 0).cookie(&OTHER)], exchange(61)),
        )
        .acked(0)
        .note(Note::CookieRenewed),
        Script::new(
            "a cookie without data",
            Verdict::Dataless,
            after(vec![syn(0).cookie(&COOKIE), syn_ack(60, 0)], exchange(61)),
        ),
        Script::new(
            "data without a cookie",
            Verdict::Accepted,
            after(vec![syn(0).data(5), syn_ack(60, 5)], exchange_from(61, 5)),
        )
        .acked(5)
        .note(Note::DataWithoutCookie),
        Script::new(
            "the experimental option",
            Verdict::CookieGranted,
            after(
                vec![
                    syn(0).option(&[254, 4, 0xf9, 0x89]),
                    syn_ack(60, 0).option(&[254, 8, 0xf9, 0x89, 1, 2, 3, 4]),
                ],
                exchange(61),
            ),
        )
        .note(Note::ExperimentalOption),
        Script::new(
            "an option that is no cookie",
            Verdict::Plain,
            after(
                vec![syn(0).option(&[34, 5, 1, 2, 3]), syn_ack(60, 0)],
                exchange(61),
            ),
        )
        .note(Note::MalformedOption {
            from: Client,
            cookie_len: 3,
        }),
        Script::new(
            "a cookie granted that is no cookie",
            Verdict::CookieNotGranted,
            after(
                vec![syn(0).request(), syn_ack(60, 0).option(&[34, 5, 1, 2, 3])],
                exchange(61),
            ),
        )
        .note(Note::MalformedOption {
            from: Server,
            cookie_len: 3,
        }),
    ]
}
