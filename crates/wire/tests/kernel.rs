//! What a Linux kernel sent gets the verdicts that are known from how it was made.

use std::time::Duration;

use Verdict::{Accepted, CookieGranted, Dataless, Ignored, Plain, Refused, SynLost};
use fastopen_wire::{Limits, LinkType, Note, Segment, Tracker, Verdict};

/// The frames of a little-endian pcap with microseconds, and their original lengths.
fn frames(pcap: &[u8]) -> impl Iterator<Item = (Duration, &[u8], usize)> {
    let mut rest = &pcap[24..];
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_first_chunk::<16>()?;
        let word = |index: usize| header[4 * index..].first_chunk().copied().map(u32::from_le_bytes);
        let (seconds, micros, len, original_len) = (word(0)?, word(1)?, word(2)?, word(3)?);
        let (frame, behind) = behind.split_at(len as usize);
        rest = behind;
        let time = Duration::from_secs(seconds.into()) + Duration::from_micros(micros.into());
        Some((time, frame, original_len as usize))
    })
}

fn follow(pcap: &[u8], packets: usize) -> Vec<(Verdict, Vec<Note>)> {
    let mut tracker = Tracker::new(Limits::default());
    for (number, (time, frame, original_len)) in (1..).zip(frames(pcap).take(packets)) {
        let segment = Segment::from_frame(LinkType::ETHERNET, frame, original_len);
        tracker.observe(number, time, &segment.expect("only TCP was captured"));
    }
    tracker.finish();
    let mut connections: Vec<_> = std::iter::from_fn(|| tracker.poll()).collect();
    connections.sort_by_key(|connection| connection.steps[0].number);
    connections
        .into_iter()
        .map(|connection| (connection.verdict, connection.notes))
        .collect()
}

fn check(pcap: &[u8], expected: &[(Verdict, &[Note])]) {
    let got = follow(pcap, usize::MAX);
    let expected: Vec<_> = expected
        .iter()
        .map(|(verdict, notes)| (*verdict, notes.to_vec()))
        .collect();
    assert_eq!(got, expected);
    for cut in 0..frames(pcap).count() {
        for ((got, _), (whole, _)) in follow(pcap, cut).iter().zip(&expected) {
            assert!(
                got == whole || *got == Verdict::Inconclusive,
                "cut at {cut}: {got}"
            );
        }
    }
}

#[test]
fn cookies_and_keys() {
    check(
        include_bytes!("captures/keys.pcap"),
        &[
            (Plain, &[]),
            (CookieGranted, &[]),
            (Accepted, &[]),
            (Dataless, &[]),
            (Ignored, &[]),
            (Refused, &[]),
            (Ignored, &[Note::CookieRenewed]),
            (Accepted, &[]),
        ],
    );
}

#[test]
fn hostile_paths() {
    let timeout = Note::FallbackAfter {
        cause: fastopen_wire::FallbackCause::Timeout,
        waited: Duration::from_micros(1_017_288),
    };
    check(
        include_bytes!("captures/paths.pcap"),
        &[
            (CookieGranted, &[]),
            (Accepted, &[]),
            (SynLost, &[timeout]),
            (Ignored, &[]),
            (Refused, &[]),
            (Accepted, &[]),
            (Ignored, &[]),
        ],
    );
}
