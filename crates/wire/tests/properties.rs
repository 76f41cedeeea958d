//! What holds for any bytes. The fuzz targets look for the same, for longer.

#[path = "common/reference.rs"]
mod reference;
#[path = "common/storm.rs"]
mod storm;

use etherparse::{IpFragOffset, Ipv6FragmentHeader, PacketBuilder};
use fastopen_wire::{Content, DecodeError, Decoded, LinkType, Segment};
use proptest::collection::vec;
use proptest::num::u8::ANY as BYTE;
use proptest::prelude::*;
use proptest::sample::Index;

/// A TCP packet with headers of every sort in front, some bytes of it changed, and its end cut off.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let headers = vec(
        (
            prop_oneof![Just(0), Just(43), Just(44), Just(51), Just(60)],
            0..3u8,
        ),
        0..4,
    );
    let changes = vec((any::<Index>(), BYTE), 0..3);
    (
        any::<bool>(),
        headers,
        vec(BYTE, 0..30),
        changes,
        any::<Index>(),
        0..3,
    )
        .prop_map(|(v6, headers, data, changes, cut, cuts)| {
            let mut packet = if v6 {
                v6_packet(&headers, &data)
            } else {
                v4_packet(&data)
            };
            for (index, byte) in changes {
                let index = index.index(packet.len().min(80));
                packet[index] = byte;
            }
            if cuts == 0 {
                packet.truncate(cut.index(packet.len()));
            }
            packet
        })
}

fn v4_packet(data: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .tcp(1, 2, 3, 4)
        .syn()
        .options_raw(&[34, 2, 1, 1])
        .expect("they fit")
        .write(&mut packet, data)
        .expect("a vector takes everything");
    packet
}

fn v6_packet(headers: &[(u8, u8)], data: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64)
        .tcp(1, 2, 3, 4)
        .syn()
        .write(&mut packet, data)
        .expect("a vector takes everything");
    let tcp = packet.split_off(40);
    let mut next_at = 6;
    for &(kind, len) in headers {
        let start = packet.len();
        packet[next_at] = kind;
        next_at = start;
        let bytes = match kind {
            44 => 8,
            51 => (usize::from(len) + 2) * 4,
            _ => (usize::from(len) + 1) * 8,
        };
        packet.resize(start + bytes, 0);
        packet[start + 1] = if kind == 44 { 0 } else { len };
    }
    packet[next_at] = 6;
    packet.extend(tcp);
    let payload_len = packet.len() as u16 - 40;
    packet[4..6].copy_from_slice(&payload_len.to_be_bytes());
    packet
}

/// The two agree on every segment; of what is none, this crate says `Fragment` sooner.
fn agree(packet: &[u8]) {
    let (ours, theirs) = (Segment::from_ip(packet), reference::from_ip(packet));
    let fragment_first = matches!(
        ours,
        Err(DecodeError::Fragment | DecodeError::FragmentedSyn | DecodeError::NotTcp { .. })
    ) && theirs.is_err();
    assert!(
        ours == theirs || fragment_first,
        "{packet:02x?}: {ours:?}, {theirs:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn decoding_agrees_with_etherparse(packet in packet()) {
        agree(&packet);
    }

    #[test]
    fn decoding_any_bytes_agrees_with_etherparse(version in prop_oneof![Just(0x45), Just(0x60), BYTE], rest in vec(BYTE, 0..120)) {
        agree(&[&[version][..], &rest].concat());
    }

    #[test]
    fn any_frame_is_read_or_refused(link in 0..300u32, frame in vec(BYTE, 0..120), more in 0..2000usize) {
        if let Ok(segment) = Segment::from_frame(LinkType(link), &frame, frame.len() + more) {
            prop_assert!(segment.payload_len >= segment.payload.len());
            prop_assert!(segment.options.len() <= 40);
            let decoded = Decoded::from_frame(LinkType(link), &frame, frame.len() + more);
            prop_assert_eq!(decoded, Ok(Decoded { content: Content::Segment(segment), tunnel: None }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_storm_of_packets_keeps_the_rules(bytes in vec(BYTE, 0..300)) {
        storm::check(&bytes);
    }
}

#[test]
fn a_fragment_header_of_a_whole_packet_is_passed_over() {
    let whole = Ipv6FragmentHeader::new(etherparse::ip_number::TCP, IpFragOffset::ZERO, false, 7);
    assert!(!whole.is_fragmenting_payload());
    let packet = v6_packet(&[(0, 1), (60, 0), (44, 0)], b"hello");
    assert_eq!(
        Segment::from_ip(&packet).map(|segment| segment.payload),
        Ok(&b"hello"[..])
    );
    let mut fragment = packet.clone();
    fragment[40 + 16 + 8 + 3] = 1;
    assert_eq!(Segment::from_ip(&fragment), Err(DecodeError::FragmentedSyn));
    fragment[40 + 16 + 8 + 2] = 1;
    assert_eq!(Segment::from_ip(&fragment), Err(DecodeError::Fragment));
}

#[test]
fn offloaded_packets_take_their_length_from_the_capture() {
    let mut v4 = v4_packet(&[7; 30]);
    v4[2..4].copy_from_slice(&[0, 0]);
    let mut v6 = v6_packet(&[(0, 0)], &[7; 30]);
    v6[4..6].copy_from_slice(&[0, 0]);
    for packet in [v4, v6] {
        let segment = Segment::from_frame(LinkType::RAW, &packet, packet.len());
        assert_eq!(segment.map(|segment| segment.payload_len), Ok(30));
        let cut = &packet[..packet.len() - 20];
        let segment = Segment::from_frame(LinkType::RAW, cut, packet.len());
        assert_eq!(
            segment.map(|segment| (segment.payload.len(), segment.payload_len)),
            Ok((10, 30))
        );
        let framed = [&[0, 0, 0, 2][..], cut].concat();
        let segment = Segment::from_frame(LinkType::NULL, &framed, packet.len() + 4);
        assert_eq!(segment.map(|segment| segment.payload_len), Ok(30));
    }
}
