//! Every handshake of the table gets its verdict, however it is wrapped, mixed, cut, repeated and disordered.

mod common;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use common::script::{Packet, Script};
use common::wrap::WRAPPERS;
use common::{script, scripts};
use fastopen_wire::{Connection, Limits, LinkType, Segment, Side, Tracker, Verdict};

const V4: [&str; 2] = ["192.0.2.1:40000", "192.0.2.2:80"];
const V6: [&str; 2] = ["[2001:db8::1]:40000", "[2001:db8::2]:80"];

fn ends(texts: [&str; 2]) -> (SocketAddr, SocketAddr) {
    let parse = |text: &str| text.parse().expect("an address and a port");
    (parse(texts[0]), parse(texts[1]))
}

/// Numbers the packets from 1 on, then lets the silence pass.
fn follow(packets: &[Packet], silence: Duration) -> Vec<Connection> {
    let (client, server) = ends(V4);
    let frames = packets
        .iter()
        .map(|packet| (packet.at, packet.to_ip(client, server)));
    report(LinkType::RAW, frames, silence)
}

fn report(
    link: LinkType,
    frames: impl Iterator<Item = (Duration, Vec<u8>)>,
    silence: Duration,
) -> Vec<Connection> {
    let mut tracker = Tracker::new(Limits::default());
    let mut last = Duration::ZERO;
    for (number, (at, frame)) in (1..).zip(frames) {
        let segment = Segment::from_frame(link, &frame, frame.len()).expect("a TCP segment");
        tracker.observe(number, at, &segment);
        last = last.max(at);
    }
    tracker.advance(last + silence);
    tracker.finish();
    let mut connections: Vec<_> = std::iter::from_fn(|| tracker.poll()).collect();
    connections.sort_by_key(|connection| connection.steps[0].number);
    connections
}

fn verdicts(connections: &[Connection]) -> Vec<Verdict> {
    connections.iter().map(|connection| connection.verdict).collect()
}

fn told(connections: &[Connection]) -> String {
    let lines = connections.iter().flat_map(|connection| {
        let steps = connection
            .steps
            .iter()
            .map(|step| format!("  {} {:?} {}: {step}", step.number, step.time, step.from));
        std::iter::once(format!("{} {:?}", connection.verdict, connection.notes)).chain(steps)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_handshake_gets_its_verdict_and_its_notes() {
    for script in scripts::all() {
        let got = follow(&script.packets, script.silence);
        let told = told(&got);
        assert_eq!(verdicts(&got), script.verdicts, "{}\n{told}", script.name);
        let (first, last) = (&got[0], &got[got.len() - 1]);
        assert_eq!(last.notes, script.notes, "{}\n{told}", script.name);
        if let Some(acked) = script.acked {
            let answer = first.syn_ack.unwrap();
            assert_eq!(answer.acked_bytes, acked, "{}\n{told}", script.name);
        }
    }
}

#[test]
fn evidence_is_a_packet_of_the_script_unless_there_is_none() {
    for script in scripts::all() {
        for connection in follow(&script.packets, script.silence) {
            let evidence = connection.evidence.map(|number| number as usize);
            let exists = evidence.is_some_and(|number| (1..=script.packets.len()).contains(&number));
            assert_eq!(
                exists,
                connection.verdict != Verdict::Inconclusive,
                "{}",
                script.name
            );
        }
    }
}

#[test]
fn the_link_layer_does_not_matter() {
    for script in scripts::all() {
        for wrapper in WRAPPERS {
            for (client, server) in [ends(V4), ends(V6)] {
                let frames = script
                    .packets
                    .iter()
                    .map(|packet| (packet.at, wrapper.wrap(&packet.to_ip(client, server))));
                let got = report(wrapper.link, frames, script.silence);
                assert_eq!(
                    verdicts(&got),
                    script.verdicts,
                    "{} over {}",
                    script.name,
                    wrapper.link
                );
            }
        }
    }
}

#[test]
fn interleaved_connections_do_not_mix() {
    let scripts = scripts::all();
    let server = ends(V4).1;
    // A client address of its own for each script: cookies belong to addresses.
    let client = |index: usize| SocketAddr::new([198, 51, 100, index as u8].into(), 40_000);
    let mut frames: Vec<_> = scripts
        .iter()
        .enumerate()
        .filter(|(_, script)| script.silence == Duration::ZERO)
        .flat_map(|(index, script)| {
            let frames = script.packets.iter().enumerate();
            frames.map(move |(order, packet)| (order, packet.at, packet.to_ip(client(index), server)))
        })
        .collect();
    // One packet of each script in turn.
    frames.sort_by_key(|(order, ..)| *order);
    let got = report(
        LinkType::RAW,
        frames.into_iter().map(|(_, at, frame)| (at, frame)),
        Duration::ZERO,
    );
    let mut by_client: HashMap<_, Vec<_>> = HashMap::new();
    for connection in got {
        by_client
            .entry(connection.client.ip())
            .or_default()
            .push(connection.verdict);
    }
    for (index, script) in scripts.iter().enumerate() {
        if script.silence == Duration::ZERO {
            assert_eq!(by_client[&client(index).ip()], script.verdicts, "{}", script.name);
        }
    }
}

/// Each connection has the verdict that it has in the whole script, or is inconclusive.
fn never_wrong(script: &Script, packets: &[Packet], change: &str) {
    let got = follow(packets, Duration::ZERO);
    let wrong = verdicts(&got)
        .into_iter()
        .zip(&script.verdicts)
        .any(|(got, whole)| got != *whole && got != Verdict::Inconclusive);
    assert!(!wrong, "{}, {change}:\n{}", script.name, told(&got));
}

#[test]
fn a_cut_capture_is_never_wrong() {
    for script in scripts::all() {
        for cut in 0..=script.packets.len() {
            // A script whose end says less than its middle, because nothing came any more.
            let whole = follow(&script.packets, Duration::ZERO);
            let got = follow(&script.packets[..cut], Duration::ZERO);
            for (got, whole) in got.iter().zip(&whole) {
                let fits = got.verdict == whole.verdict || got.verdict == Verdict::Inconclusive;
                assert!(fits, "{} cut at {cut}: {}", script.name, got.verdict);
            }
            never_wrong(&script, &script.packets[..cut], &format!("cut at {cut}"));
        }
    }
}

#[test]
fn a_packet_seen_twice_changes_nothing() {
    for script in scripts::all() {
        for index in 0..script.packets.len() {
            let mut packets = script.packets.clone();
            packets.insert(index, packets[index].clone());
            let got = follow(&packets, script.silence);
            assert_eq!(
                verdicts(&got),
                script.verdicts,
                "{}, {} twice",
                script.name,
                index + 1
            );
        }
    }
}

/// What a capture lacks of the SYNs themselves can't be told from what was never sent, except by timestamps; nor can a reset, which
/// leaves no trace.
#[test]
fn a_packet_that_the_capture_lacks_makes_no_wrong_verdict() {
    for script in scripts::all() {
        for index in 0..script.packets.len() {
            let missing = &script.packets[index];
            let told_by_timestamps = script.is_stamped() && index > 0;
            let traceless = missing.is_client_syn() && !told_by_timestamps;
            if traceless || missing.is_reset() {
                continue;
            }
            let mut packets = script.packets.clone();
            packets.remove(index);
            never_wrong(&script, &packets, &format!("without {}", index + 1));
        }
    }
}

#[test]
fn neighbours_in_the_other_order_make_no_wrong_verdict() {
    for script in scripts::all() {
        for index in 1..script.packets.len() {
            let (one, other) = (&script.packets[index - 1], &script.packets[index]);
            // Seconds lie between a SYN and the next: they keep their order, and what tells one without a timestamp from the
            // other is which of them the answer follows.
            let second_syn = index > 1 && (one.is_client_syn() || other.is_client_syn());
            if one.attempt != other.attempt || second_syn && !script.is_stamped() || other.is_reset() {
                continue;
            }
            let mut packets = script.packets.clone();
            packets.swap(index - 1, index);
            never_wrong(&script, &packets, &format!("{index} after the next"));
        }
    }
}

#[test]
fn the_steps_tell_the_story() {
    let packets = vec![
        script::syn(0).cookie(&[0x3a; 8]).data(18),
        script::syn(1000),
        script::syn_ack(1060, 18).cookie(&[7; 8]).data(3),
        script::syn_ack(1080, 18),
        script::packet(1090, Side::Client, "A", 3).sequence(18),
        script::packet(1100, Side::Server, "FA", 18).sequence(3).data(1),
    ];
    let connections = follow(&packets, Duration::ZERO);
    let steps: Vec<_> = connections[0]
        .steps
        .iter()
        .map(|step| format!("{} {}", step.number, step))
        .collect();
    assert_eq!(
        steps,
        [
            "1 SYN carries 18 bytes and cookie 3a3a3a…",
            "2 SYN again, without option and data",
            "3 SYN-ACK acknowledges all 18, grants cookie 070707…, with 3 bytes of its own",
            "4 SYN-ACK again acknowledges all 18",
            "5 ACK",
            "6 server sends 1 byte",
            "6 FIN",
        ]
    );
    assert_eq!(connections[0].answered_after, Some(Duration::from_millis(1060)));
    assert_eq!(
        (connections[0].rounds_used(), connections[0].rounds_saved()),
        (Some(1), 1)
    );
}
