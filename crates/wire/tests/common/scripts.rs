//! The table of handshakes.

use std::time::Duration;

use fastopen_wire::{FallbackCause, Note, Side, Verdict};

use super::script::{Packet, Script, exchange, exchange_from, packet, syn, syn_ack};
use Side::{Client, Server};

const COOKIE: [u8; 8] = [0x30, 0x21, 0xb9, 0xd8, 0x89, 1, 0x7e, 0xeb];
const OTHER: [u8; 8] = [9; 8];

fn fast(at_ms: u64) -> Packet {
    syn(at_ms).cookie(&COOKIE).data(18)
}

fn timeout(waited_ms: u64) -> Note {
    Note::FallbackAfter {
        cause: FallbackCause::Timeout,
        waited: Duration::from_millis(waited_ms),
    }
}

fn after(mut packets: Vec<Packet>, more: Vec<Packet>) -> Vec<Packet> {
    packets.extend(more);
    packets
}

/// Handshakes on a path that keeps every packet.
fn answered() -> Vec<Script> {
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

/// Servers that speak first, seen near the client and near the server.
fn spoken_first() -> Vec<Script> {
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

/// Servers that accept the data and are silent from then on.
fn silent() -> Vec<Script> {
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

/// Handshakes with packets lost, on the way or at the other end.
fn lost() -> Vec<Script> {
    vec![
        Script::new(
            "the client ends its side without having had an answer",
            Verdict::Unanswered,
            // Its acknowledgment number is 0: that is one behind the server's first.
            vec![fast(0), packet(400, Client, "FA", 1).sequence(18)],
        ),
        Script::new(
            "the client ends its side without any acknowledgment number",
            Verdict::Unanswered,
            vec![
                fast(0),
                packet(200, Client, "A", 1).data(18),
                packet(400, Client, "F", 7).sequence(18),
            ],
        ),
        Script::new(
            "the client ends its side after a SYN-ACK that the capture lacks",
            Verdict::Inconclusive,
            vec![fast(0), packet(400, Client, "FA", 0).sequence(18)],
        )
        .note(Note::SynAckMissing),
        Script::new(
            "a plain SYN too soon for a timeout",
            Verdict::SynLost,
            after(vec![fast(0), syn(1), syn_ack(61, 0)], exchange(62)),
        )
        .note(Note::FallbackAfter {
            cause: FallbackCause::Unseen,
            waited: Duration::from_millis(1),
        }),
        Script::new(
            "the fast SYN is dropped",
            Verdict::SynLost,
            after(vec![fast(0), syn(1000), syn_ack(1060, 0)], exchange(1061)),
        )
        .acked(0)
        .note(timeout(1000)),
        Script::new(
            "the fast SYN is dropped, with timestamps",
            Verdict::SynLost,
            after(
                vec![
                    fast(0).stamped(5000, 0),
                    syn(1000).stamped(6000, 0),
                    syn_ack(1060, 0).stamped(77, 6000),
                ],
                exchange(1061),
            ),
        )
        .acked(0)
        .note(timeout(1000)),
        Script::new(
            "three SYNs are dropped, with timestamps",
            Verdict::SynLost,
            after(
                vec![
                    fast(0).stamped(5000, 0),
                    syn(1000).stamped(6000, 0),
                    syn(3000).stamped(8000, 0),
                    syn(7000).stamped(12000, 0),
                    syn_ack(7060, 0).stamped(77, 12000),
                ],
                exchange(7061),
            ),
        )
        .note(timeout(1000)),
        Script::new(
            "the answer is later than the second SYN, by the timestamps",
            Verdict::Ignored,
            after(
                vec![
                    fast(0).stamped(5000, 0),
                    syn(1000).stamped(6000, 0),
                    syn_ack(1300, 0).stamped(77, 5000),
                ],
                exchange(1301),
            ),
        )
        .acked(0)
        .note(timeout(1000)),
        Script::new(
            "the answer is later than the second SYN, by the cookie that it grants",
            Verdict::Ignored,
            after(
                vec![fast(0), syn(1000), syn_ack(1300, 0).cookie(&OTHER)],
                exchange(1301),
            ),
        )
        .note(timeout(1000))
        .note(Note::CookieRenewed),
        Script::new(
            "the first SYN-ACK is lost, and the second acknowledges the data all the same",
            Verdict::Accepted,
            after(
                vec![
                    fast(0).stamped(5000, 0),
                    syn(1000).stamped(6000, 0),
                    syn_ack(1060, 18).stamped(77, 6000),
                ],
                exchange_from(1061, 18),
            ),
        )
        .acked(18)
        .note(timeout(1000)),
        Script::new(
            "a client that sends its data again, and is ignored",
            Verdict::Ignored,
            after(vec![fast(0), fast(1000), syn_ack(1060, 0)], exchange(1061)),
        )
        .acked(0),
        Script::new(
            "the cookie is asked for again without the option",
            Verdict::CookieNotGranted,
            after(
                vec![syn(0).request(), syn(1000), syn_ack(1060, 0)],
                exchange(1061),
            ),
        )
        .note(timeout(1000)),
        Script::new(
            "a dataless SYN is dropped",
            Verdict::SynLost,
            after(
                vec![syn(0).cookie(&COOKIE), syn(1000), syn_ack(1060, 0)],
                exchange(1061),
            ),
        )
        .note(timeout(1000)),
        Script::new(
            "every SYN is dropped",
            Verdict::Unanswered,
            vec![fast(0), syn(1000), syn(3000), syn(7000)],
        )
        .note(timeout(1000))
        .silence(120),
        Script::new(
            "every SYN is dropped, and the capture ends",
            Verdict::Inconclusive,
            vec![fast(0), syn(1000), syn(3000), syn(7000)],
        )
        .note(timeout(1000))
        .note(Note::NoAnswerSeen {
            syns: 4,
            waited: Duration::from_secs(7),
        }),
        Script::new(
            "a reset answers the fast SYN",
            Verdict::Refused,
            vec![fast(0), packet(60, Server, "RA", 18)],
        ),
        Script::new(
            "resets for other SYNs are not heeded",
            Verdict::Accepted,
            after(
                vec![
                    fast(0),
                    packet(20, Server, "RA", 19),
                    packet(30, Server, "R", 0),
                    packet(40, Server, "RA", u32::MAX - 5),
                    syn_ack(60, 18),
                ],
                exchange_from(61, 18),
            ),
        ),
        Script::new(
            "a SYN-ACK for another SYN comes first",
            Verdict::Accepted,
            after(
                vec![
                    fast(0),
                    syn_ack(10, 19),
                    packet(11, Client, "R", 0).sequence(19),
                    syn_ack(60, 18),
                ],
                exchange_from(61, 18),
            ),
        )
        .note(Note::SynAckMismatch),
        Script::new(
            "reset after the handshake",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                packet(61, Client, "A", 0).sequence(18),
                packet(70, Server, "R", 0),
            ],
        )
        .note(Note::Reset { by: Server }),
    ]
}

/// Packets that the capture misses, or has in another order.
fn disordered() -> Vec<Script> {
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

/// Several connections between the same hosts.
fn in_a_row() -> Vec<Script> {
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

/// Every script there is.
pub(crate) fn all() -> Vec<Script> {
    [
        answered(),
        spoken_first(),
        silent(),
        lost(),
        disordered(),
        in_a_row(),
    ]
    .concat()
}
