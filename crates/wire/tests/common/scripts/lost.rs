//! Handshakes with packets lost, on the way or at the other end.

use std::time::Duration;

use fastopen_wire::Side::{self, Client, Server};
use fastopen_wire::{FallbackCause, Note, Verdict};

use super::{COOKIE, OTHER, after, fast, timeout};
use crate::common::script::{Script, exchange, exchange_from, packet, syn, syn_ack};

pub(super) fn scripts() -> Vec<Script> {
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
        .note(reset(Server, true)),
        Script::new(
            "the client resets what has no answer yet",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                packet(61, Client, "A", 0).sequence(18),
                packet(70, Client, "R", 0).sequence(18),
            ],
        )
        .note(reset(Client, true)),
        Script::new(
            "the server answers and resets",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                packet(61, Server, "A", 18).data(9),
                packet(62, Server, "R", 0),
            ],
        )
        .note(reset(Server, false)),
        Script::new(
            "the answer is not captured, and the server resets",
            Verdict::Accepted,
            vec![fast(0), syn_ack(60, 18), packet(70, Server, "R", 0).sequence(10)],
        )
        .note(reset(Server, false)),
        Script::new(
            "the answer is not captured, and the client resets",
            Verdict::Accepted,
            vec![
                fast(0),
                syn_ack(60, 18),
                packet(70, Client, "RA", 10).sequence(18),
            ],
        )
        .note(reset(Client, false)),
        Script::new(
            "the server answers in its SYN-ACK and resets",
            Verdict::Accepted,
            vec![fast(0), syn_ack(60, 18).data(9), packet(70, Server, "R", 0)],
        )
        .note(reset(Server, false)),
    ]
}

fn reset(by: Side, before_data: bool) -> Note {
    Note::Reset { by, before_data }
}
