//! Any bytes as packets of a few connections, and what must hold whatever they say. The fuzz target `handshake` runs the same.

use std::collections::HashMap;
use std::time::Duration;

use fastopen_wire::{Connection, Flags, Limits, Segment, Side, Tracker, Verdict};

const LIMITS: Limits = Limits {
    connections: 3,
    patience: Duration::from_secs(5),
    settle: Duration::from_secs(1),
};
const BYTES_PER_PACKET: usize = 6;
const PORTS: u16 = 5;

/// Follows the packets that the bytes stand for, all of them and up to a cut.
pub(crate) fn check(bytes: &[u8]) {
    let Some((&cut, bytes)) = bytes.split_first() else {
        return;
    };
    let packets: Vec<&[u8]> = bytes.chunks_exact(BYTES_PER_PACKET).collect();
    let whole = follow(&packets);
    let cut = packets.len() * usize::from(cut) / 256;
    for (first, part) in follow(&packets[..cut]) {
        let fits = part.verdict == Verdict::Inconclusive
            || whole
                .get(&first)
                .is_some_and(|whole| whole.verdict == part.verdict);
        assert!(
            fits,
            "cut at {cut}: {part:?}\nin the whole: {:?}",
            whole.get(&first)
        );
    }
}

/// The connections by the number of their first packet.
fn follow(packets: &[&[u8]]) -> HashMap<u64, Connection> {
    let mut tracker = Tracker::new(LIMITS);
    let mut time = Duration::ZERO;
    let mut connections = HashMap::new();
    for (number, packet) in (1..).zip(packets) {
        // Up to 2 s, and sometimes back.
        time = match packet[5] {
            back @ 250.. => time.saturating_sub(Duration::from_millis(u64::from(back))),
            on => time + Duration::from_millis(u64::from(on) * 8),
        };
        tracker.observe(number, time, &segment(packet));
        assert!(tracker.followed() <= LIMITS.connections);
        collect(&mut tracker, number, &mut connections);
    }
    tracker.finish();
    assert_eq!(tracker.followed(), 0);
    collect(&mut tracker, packets.len() as u64, &mut connections);
    connections
}

fn collect(tracker: &mut Tracker, last: u64, connections: &mut HashMap<u64, Connection>) {
    while let Some(connection) = tracker.poll() {
        make_sense(&connection, last);
        let first = connection.steps[0].number;
        let twice = connections.insert(first, connection);
        assert!(twice.is_none(), "reported twice: {twice:?}");
    }
}

fn make_sense(connection: &Connection, last: u64) {
    let told = || format!("{connection:?}");
    assert!(connection.steps.len() <= Connection::MAX_STEPS, "{}", told());
    let evidence = connection.evidence.map(|number| (1..=last).contains(&number));
    let expected = (connection.verdict != Verdict::Inconclusive).then_some(true);
    assert_eq!(evidence, expected, "{}", told());
    let sent = connection.syn.map_or(0, |syn| syn.data_bytes);
    let acked = connection.syn_ack.map_or(0, |syn_ack| syn_ack.acked_bytes);
    let fast = connection.syn.is_some_and(|syn| syn.is_fast());
    assert!(acked <= sent, "{}", told());
    match connection.verdict {
        Verdict::Accepted => assert!(acked == sent && sent > 0, "{}", told()),
        Verdict::Ignored => assert!(acked < sent, "{}", told()),
        Verdict::Dataless => assert!(fast && sent == 0, "{}", told()),
        Verdict::SynLost => assert!(fast && acked == 0, "{}", told()),
        Verdict::Refused | Verdict::Unanswered => assert!(connection.syn_ack.is_none(), "{}", told()),
        Verdict::Plain | Verdict::CookieGranted | Verdict::CookieNotGranted => {
            assert!(!fast, "{}", told());
        }
        Verdict::Inconclusive => {}
    }
    for (index, note) in connection.notes.iter().enumerate() {
        assert!(!connection.notes[..index].contains(note), "{}", told());
    }
    for step in &connection.steps {
        step.to_string();
    }
}

const COOKIE: &[&[u8]] = &[
    &[],
    &[34, 2],
    &[34, 6, 1, 1, 1, 1],
    &[34, 6, 2, 2, 2, 2],
    &[34, 5, 1, 1, 1],
    &[254, 8, 0xf9, 0x89, 3, 3, 3, 3],
    &[8, 10, 0, 0, 0, 1, 0, 0, 0, 1],
    &[8, 10, 0, 0, 0, 2, 0, 0, 0, 1, 34, 6, 1, 1, 1, 1],
    &[8, 10, 0, 0, 0, 3, 0, 0, 0, 2],
];
const DATA: [u8; 4] = [b'x'; 4];

/// Numbers so close together that packets often belong to each other.
fn segment<'a>(packet: &[u8]) -> Segment<'a> {
    let near = |byte: u8| (u32::MAX - 3).wrapping_add(u32::from(byte & 7));
    let from = match packet[0] & 1 {
        0 => Side::Client,
        _ => Side::Server,
    };
    let port = 1 + u16::from(packet[0] >> 1) % PORTS;
    let (source, destination) = match from {
        Side::Client => (([192, 0, 2, 1], port), ([192, 0, 2, 2], 1)),
        Side::Server => (([192, 0, 2, 2], 1), ([192, 0, 2, 1], port)),
    };
    let flag = |bit: u8| packet[1] & (1 << bit) != 0;
    let payload = &DATA[..usize::from(packet[4] & 7).min(DATA.len())];
    Segment {
        source: source.into(),
        destination: destination.into(),
        sequence: near(packet[2]),
        acknowledgment: near(packet[3]),
        flags: Flags {
            // Most packets of a storm open something.
            syn: flag(0) || flag(1),
            ack: flag(2),
            rst: flag(3) && flag(4),
            fin: flag(5) && flag(6),
            psh: false,
        },
        window: 0,
        options: COOKIE[usize::from(packet[4] >> 3) % COOKIE.len()],
        payload,
        payload_len: payload.len(),
    }
}
