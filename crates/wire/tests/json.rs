//! What a connection looks like as JSON.

#![cfg(feature = "serde")]

use std::time::Duration;

use fastopen_wire::{Flags, Limits, Segment, Tracker};
use serde_json::json;

#[test]
fn a_connection_is_an_object_without_the_cookie() {
    let syn = Segment {
        source: ([192, 0, 2, 1], 40_000).into(),
        destination: ([192, 0, 2, 2], 80).into(),
        sequence: 7,
        acknowledgment: 0,
        flags: Flags {
            syn: true,
            ..Flags::default()
        },
        window: 65_535,
        options: &[34, 10, 0xc0, 0xff, 0xee, 0xc0, 0xff, 0xee, 0xc0, 0xff],
        payload: &[],
        payload_len: 18,
    };
    let syn_ack = Segment {
        source: syn.destination,
        destination: syn.source,
        acknowledgment: 7 + 1 + 18,
        flags: Flags {
            ack: true,
            ..syn.flags
        },
        options: &[],
        payload_len: 0,
        ..syn
    };
    let reset = Segment {
        flags: Flags {
            rst: true,
            ..Flags::default()
        },
        ..syn_ack
    };
    let mut tracker = Tracker::new(Limits::default());
    tracker.observe(1, Duration::ZERO, &syn);
    tracker.observe(2, Duration::from_millis(500), &syn_ack);
    tracker.observe(3, Duration::from_millis(750), &reset);
    let connection = serde_json::to_value(tracker.poll()).expect("it serialises");
    let expected = json!({
        "client": "192.0.2.1:40000",
        "server": "192.0.2.2:80",
        "verdict": "accepted",
        "evidence": 2,
        "started": 0.0,
        "answered_after": 0.5,
        "syn": {"option": "cookie", "kind": 34, "cookie_len": 8, "data_bytes": 18},
        "syn_ack": {"option": "none", "kind": null, "cookie_len": 0, "acked_bytes": 18, "data_bytes": 0},
        "rounds_used": null,
        "rounds_saved": 0,
        "notes": [{"note": "reset", "by": "server", "before_data": true}],
        "steps": [
            {"number": 1, "time": 0.0, "from": "client",
             "event": "syn", "option": "cookie", "kind": 34, "cookie_len": 8, "data_bytes": 18, "again": false},
            {"number": 2, "time": 0.5, "from": "server",
             "event": "syn-ack", "option": "none", "kind": null, "cookie_len": 0,
             "acked_bytes": 18, "sent_bytes": 18, "data_bytes": 0, "again": false},
            {"number": 3, "time": 0.75, "from": "server", "event": "rst"},
        ],
        "steps_omitted": 0,
    });
    assert_eq!(connection, expected);
    assert!(!connection.to_string().contains("c0ff"));
}
