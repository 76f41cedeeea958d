//! A hostile or endless stream of packets takes no more memory than the limits say, and nothing is lost silently.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fastopen_wire::{Connection, Flags, Limits, Note, Segment, Tracker, Verdict};

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 80);
const LIMITS: Limits = Limits {
    connections: 100,
    patience: Duration::from_secs(120),
    settle: Duration::from_secs(3),
};

fn client(number: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), 40_000)
}

fn syn(client: SocketAddr, isn: u32) -> Segment<'static> {
    Segment {
        source: client,
        destination: SERVER,
        sequence: isn,
        acknowledgment: 0,
        flags: Flags {
            syn: true,
            ..Flags::default()
        },
        window: 65_535,
        options: &[],
        payload: &[],
        payload_len: 0,
    }
}

fn syn_ack(client: SocketAddr, isn: u32) -> Segment<'static> {
    let syn = syn(client, isn);
    Segment {
        source: SERVER,
        destination: client,
        acknowledgment: isn.wrapping_add(1),
        flags: Flags {
            ack: true,
            ..syn.flags
        },
        ..syn
    }
}

fn reports(tracker: &mut Tracker) -> Vec<Connection> {
    std::iter::from_fn(|| tracker.poll()).collect()
}

#[test]
fn every_connection_of_a_flood_is_reported_once() {
    let mut tracker = Tracker::new(LIMITS);
    let mut clients = HashSet::new();
    let mut evicted = 0;
    for number in 0..10_000 {
        let time = Duration::from_micros(u64::from(number));
        tracker.observe(number.into(), time, &syn(client(number), number));
        assert!(tracker.followed() <= LIMITS.connections);
        for connection in reports(&mut tracker) {
            assert_eq!(connection.verdict, Verdict::Inconclusive);
            assert!(connection.notes.contains(&Note::Evicted));
            assert!(clients.insert(connection.client));
            evicted += 1;
        }
    }
    assert_eq!((evicted, tracker.evicted()), (9_900, 9_900));
    tracker.finish();
    for connection in reports(&mut tracker) {
        assert!(!connection.notes.contains(&Note::Evicted));
        assert!(clients.insert(connection.client));
    }
    assert_eq!(clients.len(), 10_000);
}

#[test]
fn an_evicted_connection_keeps_the_verdict_that_it_has() {
    let mut tracker = Tracker::new(LIMITS);
    tracker.observe(1, Duration::ZERO, &syn(client(0), 7));
    tracker.observe(2, Duration::ZERO, &syn_ack(client(0), 7));
    for number in 1..=100 {
        tracker.observe(2 + u64::from(number), Duration::ZERO, &syn(client(number), 7));
    }
    let connections = reports(&mut tracker);
    assert_eq!(connections.len(), 1, "the one that had least to wait for");
    assert_eq!(
        (connections[0].client, connections[0].verdict),
        (client(0), Verdict::Plain)
    );
}

#[test]
fn one_connection_does_not_grow_for_ever() {
    let mut tracker = Tracker::new(LIMITS);
    for number in 0..10_000 {
        tracker.observe(number, Duration::from_secs(number / 100), &syn(client(0), 7));
    }
    tracker.finish();
    let connections = reports(&mut tracker);
    assert_eq!(connections.len(), 1);
    assert_eq!(connections[0].steps.len(), Connection::MAX_STEPS);
    assert_eq!(
        connections[0].steps_omitted as usize,
        10_000 - Connection::MAX_STEPS
    );
}

#[test]
fn reports_come_as_soon_as_nothing_can_change_them() {
    let mut tracker = Tracker::new(LIMITS);
    let at = Duration::from_secs;
    tracker.observe(1, at(0), &syn(client(0), 7));
    tracker.observe(2, at(1), &syn(client(1), 7));
    tracker.observe(3, at(2), &syn_ack(client(1), 7));
    assert_eq!(tracker.poll(), None, "the first data may still come");
    tracker.advance(at(5));
    assert_eq!(
        tracker.poll().map(|connection| connection.verdict),
        Some(Verdict::Plain)
    );
    tracker.advance(at(119));
    assert_eq!(tracker.poll(), None, "an answer may still come");
    tracker.advance(at(120));
    let unanswered = tracker.poll().expect("its time is up");
    assert_eq!(
        (unanswered.verdict, unanswered.evidence),
        (Verdict::Unanswered, Some(1))
    );
    assert_eq!(tracker.followed(), 0);
}

#[test]
fn a_limit_of_nothing_still_follows_one() {
    let mut tracker = Tracker::new(Limits {
        connections: 0,
        ..LIMITS
    });
    tracker.observe(1, Duration::ZERO, &syn(client(0), 7));
    assert_eq!(tracker.followed(), 1);
}
