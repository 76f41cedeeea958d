//! SYNs in tunnels, within bounds, and SYNs that ICMP errors quote.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::PacketBuilder;
use fastopen_wire::{
    Content, DecodeError, Decoded, Event, FallbackCause, IcmpError, IcmpKind, Limits, LinkError, LinkType,
    Note, Tracker, Tunnel, Verdict,
};

const COOKIE: [u8; 12] = [34, 10, 0x30, 0x21, 0xb9, 0xd8, 0x89, 1, 0x7e, 0xeb, 1, 1];
const SEQUENCE: u32 = 7;

fn syn(v6: bool, options: &[u8], data: &[u8]) -> Vec<u8> {
    let ip = match v6 {
        false => PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64),
        true => PacketBuilder::ipv6([1; 16], [2; 16], 64),
    };
    let mut packet = Vec::new();
    ip.tcp(40_000, 80, SEQUENCE, 65_535)
        .syn()
        .options_raw(options)
        .expect("options fit the header")
        .write(&mut packet, data)
        .expect("a vector takes everything");
    packet
}

/// An IP packet of another protocol, between other hosts.
fn outer(v6: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let ip = match v6 {
        false => PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64),
        true => PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64),
    };
    let mut packet = Vec::new();
    ip.write(&mut packet, protocol.into(), payload)
        .expect("a vector takes everything");
    packet
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(50_000, port)
        .write(&mut packet, payload)
        .expect("a vector takes everything");
    packet
}

fn ethernet(packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet[0] >> 4 == 6 { [0x86, 0xdd] } else { [8, 0] };
    [&[2; 12][..], &ether_type, packet].concat()
}

fn decode(packet: &[u8]) -> Result<Decoded<'_>, DecodeError> {
    Decoded::from_frame(LinkType::RAW, packet, packet.len())
}

/// Every kind of tunnel, around a packet.
fn tunnels(inner: &[u8]) -> Vec<(Tunnel, Vec<u8>)> {
    let v6 = inner[0] >> 4 == 6;
    let frame = ethernet(inner);
    let ether_type = &frame[12..14];
    let behind = |header: &[u8], rest: &[u8]| [header, rest].concat();
    let gre = |flags: u8, version: u8, ether_type: &[u8], words: usize, rest: &[u8]| {
        [&[flags, version], ether_type, &vec![0; words * 4], rest].concat()
    };
    let ppp = behind(&[0, if v6 { 0x57 } else { 0x21 }], inner);
    let vxlan = behind(&[8, 0, 0, 0, 0, 0, 9, 0], &frame);
    vec![
        (Tunnel::IpInIp, outer(false, if v6 { 41 } else { 4 }, inner)),
        (Tunnel::IpInIp, outer(true, if v6 { 41 } else { 4 }, inner)),
        (Tunnel::Gre, outer(false, 47, &gre(0, 0, ether_type, 0, inner))),
        (Tunnel::Gre, outer(true, 47, &gre(0xb0, 0, ether_type, 3, inner))),
        (
            Tunnel::Gre,
            outer(false, 47, &gre(0x20, 0, &[0x65, 0x58], 1, &frame)),
        ),
        (
            Tunnel::Gre,
            outer(false, 47, &gre(0x30, 0x81, &[0x88, 0x0b], 3, &ppp)),
        ),
        // EoIP.
        (
            Tunnel::Gre,
            outer(false, 47, &gre(0x20, 1, &[0x64, 0], 1, &frame)),
        ),
        // WCCP.
        (
            Tunnel::Gre,
            outer(false, 47, &gre(0, 0, &[0x88, 0x3e], 0, &behind(&[0; 4], inner))),
        ),
        (
            Tunnel::Gre,
            outer(
                false,
                47,
                &gre(0x10, 0, &[0x88, 0xbe], 1, &behind(&[0; 8], &frame)),
            ),
        ),
        (
            Tunnel::Gre,
            outer(
                false,
                47,
                &gre(
                    0x10,
                    0,
                    &[0x22, 0xeb],
                    1,
                    &[&[0; 11][..], &[1], &[0; 8], &frame].concat(),
                ),
            ),
        ),
        (Tunnel::EtherIp, outer(false, 97, &behind(&[0x30, 0], &frame))),
        (
            Tunnel::MplsInIp,
            outer(false, 137, &behind(&[0, 1, 0x21, 64], inner)),
        ),
        (Tunnel::Vxlan, udp(4789, &vxlan)),
        (Tunnel::Vxlan, udp(8472, &vxlan)),
        (
            Tunnel::Vxlan,
            udp(
                4790,
                &behind(&[0x0c, 0, 0, if v6 { 2 } else { 1 }, 0, 0, 9, 0], inner),
            ),
        ),
        (
            Tunnel::Geneve,
            udp(
                6081,
                &[&[2, 0, 0x65, 0x58, 0, 0, 9, 0][..], &[7; 8], &frame].concat(),
            ),
        ),
        (
            Tunnel::Geneve,
            udp(6081, &[&[0, 0], ether_type, &[0, 0, 9, 0], inner].concat()),
        ),
        (
            Tunnel::GtpU,
            udp(2152, &behind(&[0x30, 0xff, 0, 0, 0, 0, 0, 1], inner)),
        ),
        (Tunnel::L2tp, udp(1701, &behind(&[0, 2, 0, 1, 0, 2], &ppp))),
        (
            Tunnel::L2tp,
            // A length, sequence numbers, and an offset with two bytes to pass over.
            udp(
                1701,
                &behind(
                    &[0x4a, 2, 0, 0, 0, 1, 0, 2, 0, 5, 0, 5, 0, 2, 9, 9, 0xff, 3],
                    &ppp,
                ),
            ),
        ),
        (
            Tunnel::GtpU,
            // A sequence number, and an extension header: the container of a 5G session.
            udp(
                2152,
                &behind(
                    &[0x36, 0xff, 0, 0, 0, 0, 0, 1, 0, 7, 0, 0x85, 1, 0x10, 9, 0],
                    inner,
                ),
            ),
        ),
    ]
}

#[test]
fn every_tunnel_is_looked_into() {
    for inner in [syn(false, &COOKIE, b"hello"), syn(true, &COOKIE, b"hello")] {
        let expected = decode(&inner).unwrap().content;
        assert!(matches!(expected, Content::Segment(segment) if segment.payload == b"hello"));
        for (tunnel, packet) in tunnels(&inner) {
            let decoded = Decoded {
                content: expected,
                tunnel: Some(tunnel),
            };
            assert_eq!(decode(&packet), Ok(decoded), "{tunnel}");
            for cut in 0..packet.len() - b"hello".len() {
                assert!(decode(&packet[..cut]).is_err(), "{tunnel} cut at {cut}");
            }
            // The first fragment of the outer packet has the inner headers.
            let mut fragment = packet.clone();
            if packet[0] == 0x45 {
                fragment[6] |= 0x20;
                assert_eq!(decode(&fragment), Ok(decoded), "{tunnel}");
                fragment[7] = 9;
                assert!(
                    matches!(decode(&fragment), Err(DecodeError::NotTcp { .. })),
                    "{tunnel}"
                );
            }
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let mut packet = syn(false, &[], b"");
    for depth in 1..=Decoded::MAX_TUNNELS + 2 {
        packet = outer(depth % 2 == 0, 4, &packet);
        // What is inside of an IPv6 packet is IPv6 in the next round.
        if packet[0] >> 4 == 6 {
            packet = outer(false, 41, &packet);
        }
    }
    assert_eq!(decode(&packet), Err(DecodeError::TooDeep(Tunnel::IpInIp)));
}

#[test]
fn what_only_looks_like_a_tunnel_is_none() {
    let inner = syn(false, &[], b"");
    for (port, header) in [
        (4789, &[0; 8][..]),
        (6081, &[0x40, 0, 0x65, 0x58, 0, 0, 0, 0]),
        (6081, &[0, 0x80, 0x65, 0x58, 0, 0, 0, 0]),
        (2152, &[0x30, 1, 0, 0, 0, 0, 0, 0]),
        (2152, &[0x50, 0xff, 0, 0, 0, 0, 0, 0]),
        (53, &[]),
    ] {
        let packet = udp(port, &[header, &inner].concat());
        assert_eq!(
            decode(&packet),
            Err(DecodeError::NotTcp { protocol: 17 }),
            "{port}"
        );
    }
    let keepalive_of_eoip = outer(false, 47, &[0x20, 1, 0x64, 0, 0, 0, 9, 0]);
    assert_eq!(
        decode(&keepalive_of_eoip),
        Err(DecodeError::NotTcp { protocol: 47 })
    );
    let arp = udp(4789, &[&[8, 0, 0, 0, 0, 0, 9, 0][..], &[2; 12], &[8, 6]].concat());
    let not_ip = LinkError::NotIp { protocol: 0x0806 };
    assert_eq!(decode(&arp), Err(DecodeError::Link(not_ip)));
}

#[test]
fn tunnels_that_do_not_show_what_they_carry_are_named() {
    let inner = syn(false, &[], b"");
    let behind = |header: &[u8]| [header, &inner].concat();
    let answer = |port: u16, header: &[u8]| {
        let mut packet = udp(port, &behind(header));
        let [source, destination] = [20, 22].map(|at| [packet[at], packet[at + 1]]);
        packet[20..24].copy_from_slice(&[destination, source].concat());
        packet
    };
    let esp = [0x12, 0x34, 0x56, 0x78, 0, 0, 0, 1];
    for (tunnel, packet) in [
        (Tunnel::Esp, outer(false, 50, &behind(&esp))),
        (Tunnel::Esp, outer(true, 50, &behind(&esp))),
        (Tunnel::Esp, outer(false, 4, &outer(false, 50, &esp))),
        (Tunnel::Esp, udp(4500, &behind(&esp))),
        (Tunnel::Esp, answer(4500, &esp)),
        (Tunnel::L2tp, outer(false, 115, &behind(&[0, 0, 0, 9]))),
        (Tunnel::L2tp, udp(1701, &behind(&[0, 3, 0, 0, 0, 0, 0, 9]))),
        (Tunnel::L2tp, answer(1701, &[0, 3, 0, 0, 0, 0, 0, 9])),
    ] {
        assert_eq!(decode(&packet), Err(DecodeError::Opaque(tunnel)), "{packet:02x?}");
    }
    let ike = udp(4500, &behind(&[0; 4]));
    let keepalive = udp(4500, &[0xff]);
    let mut resolver = answer(4500, &esp);
    resolver[20..22].copy_from_slice(&53_u16.to_be_bytes());
    let control_of_version_2 = udp(1701, &behind(&[0xc8, 2]));
    let control_of_version_3 = udp(1701, &behind(&[0xc8, 3]));
    let no_l2tp = udp(1701, &behind(&[0, 7]));
    for packet in [
        ike,
        keepalive,
        resolver,
        control_of_version_2,
        control_of_version_3,
        no_l2tp,
    ] {
        let expected = Err(DecodeError::NotTcp { protocol: 17 });
        assert_eq!(decode(&packet), expected, "{packet:02x?}");
    }
    let control_over_ip = outer(false, 115, &behind(&[0; 4]));
    assert_eq!(
        decode(&control_over_ip),
        Err(DecodeError::NotTcp { protocol: 115 })
    );
}

fn router(v6: bool) -> IpAddr {
    if v6 {
        [0xfd; 16].into()
    } else {
        [10, 0, 0, 1].into()
    }
}

fn icmp_error(v6: bool, kind: u8, code: u8, mtu: u16, quote: &[u8]) -> Vec<u8> {
    let [high, low] = mtu.to_be_bytes();
    let message = [&[kind, code, 0, 0, 0, 0, high, low], quote].concat();
    outer(v6, if v6 { 58 } else { 1 }, &message)
}

#[test]
fn icmp_errors_quote_their_syn() {
    for (v6, kind, code, expected) in [
        (false, 3, 0, IcmpKind::NetworkUnreachable),
        (false, 3, 1, IcmpKind::HostUnreachable),
        (false, 3, 4, IcmpKind::FragmentationNeeded { mtu: 1280 }),
        (false, 3, 13, IcmpKind::Prohibited),
        (false, 3, 5, IcmpKind::Other { code: 5 }),
        (false, 11, 0, IcmpKind::TimeExceeded),
        (true, 1, 1, IcmpKind::Prohibited),
        (true, 1, 4, IcmpKind::PortUnreachable),
        (true, 2, 0, IcmpKind::FragmentationNeeded { mtu: 1280 }),
        (true, 4, 0, IcmpKind::ParameterProblem),
    ] {
        let quoted = syn(v6, &COOKIE, b"hello");
        let header_len = if v6 { 40 } else { 20 };
        let ends = match v6 {
            false => ["192.0.2.1:40000", "192.0.2.2:80"],
            true => [
                "[101:101:101:101:101:101:101:101]:40000",
                "[202:202:202:202:202:202:202:202]:80",
            ],
        };
        let [source, destination] = ends.map(|text| text.parse::<SocketAddr>().unwrap());
        for (len, syn) in [(8, None), (14, Some(true)), (25, Some(true))] {
            let packet = icmp_error(v6, kind, code, 1280, &quoted[..header_len + len]);
            let error = IcmpError {
                from: router(v6),
                kind: expected,
                number: kind,
                code,
                source,
                destination,
                sequence: SEQUENCE,
                syn,
            };
            let content = Content::IcmpError(error);
            assert_eq!(decode(&packet).map(|decoded| decoded.content), Ok(content));
        }
        let too_little = icmp_error(v6, kind, code, 1280, &quoted[..header_len + 7]);
        assert!(matches!(decode(&too_little), Err(DecodeError::NotTcp { .. })));
    }
    let echo = icmp_error(false, 8, 0, 0, &syn(false, &[], b""));
    assert_eq!(decode(&echo), Err(DecodeError::NotTcp { protocol: 1 }));
}

/// Feeds packets at these times in milliseconds, then lets a long time pass.
fn follow(packets: &[(u64, Vec<u8>)]) -> fastopen_wire::Connection {
    let mut tracker = Tracker::new(Limits::default());
    for (number, (ms, packet)) in (1..).zip(packets) {
        let time = Duration::from_millis(*ms);
        match decode(packet).expect("a segment or an ICMP error").content {
            Content::Segment(segment) => tracker.observe(number, time, &segment),
            Content::IcmpError(error) => tracker.observe_icmp(number, time, &error),
        }
    }
    tracker.advance(Duration::from_secs(1000));
    tracker.poll().expect("one connection")
}

#[test]
fn a_fallback_that_an_icmp_error_caused_is_no_timeout() {
    for v6 in [false, true] {
        let (kind, code) = if v6 { (2, 0) } else { (3, 4) };
        let fast = syn(v6, &COOKIE, &[b'x'; 1200]);
        let error = icmp_error(v6, kind, code, 1280, &fast[..60]);
        let connection = follow(&[(0, fast), (1, error), (2, syn(v6, &[], b""))]);
        let by_router = Note::IcmpError {
            by: router(v6),
            kind: IcmpKind::FragmentationNeeded { mtu: 1280 },
        };
        let fallback = Note::FallbackAfter {
            cause: FallbackCause::Icmp,
            waited: Duration::from_millis(2),
        };
        assert_eq!(connection.notes, [by_router, fallback]);
        assert!(matches!(connection.steps[1].event, Event::IcmpError { .. }));
        assert_eq!(
            connection.steps[1].to_string(),
            format!("ICMP from {}: fragmentation needed, MTU 1280", router(v6))
        );
    }
}

#[test]
fn an_icmp_error_is_no_answer() {
    let prohibited = icmp_error(false, 3, 13, 0, &syn(false, &COOKIE, b"")[..28]);
    let connection = follow(&[
        (0, syn(false, &COOKIE, b"hello")),
        (20, prohibited),
        (1000, syn(false, &[], b"")),
    ]);
    assert_eq!(connection.verdict, Verdict::Unanswered);
    assert_eq!(connection.notes.len(), 2);
    let timeout = Note::FallbackAfter {
        cause: FallbackCause::Timeout,
        waited: Duration::from_secs(1),
    };
    assert_eq!(
        connection.notes[1], timeout,
        "it waited for a second all the same"
    );
}

#[test]
fn an_icmp_error_about_another_segment_says_nothing() {
    let mut other = syn(false, &COOKIE, b"");
    other[27] = 9;
    let error = icmp_error(false, 3, 13, 0, &other[..28]);
    let connection = follow(&[(0, syn(false, &COOKIE, b"hello")), (20, error)]);
    assert_eq!((connection.notes, connection.steps.len()), (vec![], 1));
}
