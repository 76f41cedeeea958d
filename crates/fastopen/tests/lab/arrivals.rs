//! What a server is told of a connection: how it arrived, and its SYN.

use std::time::Duration;

use fastopen::{Arrival, ArrivalKind, FastOpen, ListenOptions, OptionKind, Outcome, ReplaySafe};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{HostSpec, Scenario};

use crate::support::{LONG, PORT, at, connect_to, connector, get_cookie, lab, serve};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("arrivals::they_say_what_the_syn_said", they_say_what_the_syn_said),
        test(
            "arrivals::a_full_queue_falls_back_to_the_ordinary_handshake",
            a_full_queue_falls_back,
        ),
        test(
            "arrivals::the_saved_syn_is_handed_out_once",
            the_saved_syn_is_handed_out_once,
        ),
        test(
            "arrivals::no_syn_makes_an_arrival_an_error",
            no_syn_makes_an_arrival_an_error,
        ),
    ]
    .into_iter()
}

/// What a kernel would not send.
fn they_say_what_the_syn_said() {
    let lab = lab(&Scenario::new("odd SYNs").with_host(HostSpec::raw("peer")));
    let server = lab.server().unwrap();
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    for ip in server.addresses() {
        let listener = server.run(|| fastopen::listen((ip, PORT))).unwrap();
        let target = at(ip);
        let standard = |cookie_len| FastOpen::Malformed {
            kind: OptionKind::Standard,
            cookie_len,
        };
        let forged = FastOpen::Cookie(OptionKind::Standard, "5eed5eed5eed5eed".parse().unwrap());
        for (cookie, data, said, kind) in [
            (
                Some(&[][..]),
                "",
                FastOpen::Request(OptionKind::Standard),
                ArrivalKind::CookieRequested,
            ),
            (None, "", FastOpen::Absent, ArrivalKind::Plain),
            (None, "early", FastOpen::Absent, ArrivalKind::Plain),
            (
                Some(&[0x5e, 0xed, 0x5e, 0xed, 0x5e, 0xed, 0x5e, 0xed][..]),
                "early",
                forged,
                ArrivalKind::Plain,
            ),
            (Some(&[1, 2, 3][..]), "early", standard(3), ArrivalKind::Plain),
            (Some(&[1; 18][..]), "early", standard(18), ArrivalKind::Plain),
        ] {
            let syn = peer.syn(target).with_data(data);
            let syn = cookie.map_or_else(|| syn.clone(), |cookie| syn.clone().with_fast_open(cookie));
            peer.connect(&syn, LONG).unwrap();
            let (stream, _) = listener.accept().unwrap();
            let arrival = Arrival::of(&stream).unwrap();
            let syn = arrival.syn.expect("the SYN was saved");
            assert_eq!(
                (syn.fast_open, syn.data_bytes, arrival.kind, arrival.confirmed),
                (said, data.len(), kind, true)
            );
        }
        // A good cookie without data: the connection stands, and nothing is there to read.
        let granted = peer
            .connect(&peer.syn(target).with_fast_open(&[]), LONG)
            .unwrap()
            .fast_open();
        let FastOpen::Cookie(_, cookie) = granted else {
            panic!("{granted:?}")
        };
        listener.accept().unwrap();
        let syn = peer.syn(target).with_fast_open(cookie.as_bytes());
        peer.send(&syn).unwrap();
        peer.half_open(&syn, LONG).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let arrival = Arrival::of(&stream).unwrap();
        assert_eq!(
            (arrival.kind, arrival.confirmed),
            (ArrivalKind::Fast { data: false }, false)
        );
    }
}

fn a_full_queue_falls_back() {
    let lab = lab(&Scenario::new("full queue").with_host(HostSpec::raw("peer")));
    let server = lab.server().unwrap();
    let address = at(server.ipv4());
    let served = serve(
        server,
        &ListenOptions::new()
            .with_queue(1)
            .with_handshake_timeout(Duration::from_secs(7)),
    );
    get_cookie(lab.client().unwrap(), address);
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let granted = peer
        .connect(&peer.syn(address).with_fast_open(&[]), LONG)
        .unwrap()
        .fast_open();
    let FastOpen::Cookie(_, cookie) = granted else {
        panic!("{granted:?}")
    };
    let syn = peer
        .syn(address)
        .with_fast_open(cookie.as_bytes())
        .with_data("unconfirmed");
    peer.send(&syn).unwrap();
    peer.half_open(&syn, LONG).unwrap();
    let (outcome, arrival) = connect_to(&lab, &served, address);
    assert_eq!((outcome, arrival.kind), (Outcome::Ignored, ArrivalKind::Plain));
}

fn the_saved_syn_is_handed_out_once() {
    let lab = lab(&Scenario::new("saved SYN"));
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let without = server
        .run(|| {
            ListenOptions::new()
                .with_saved_syn(false)
                .listen(("::", PORT + 1))
        })
        .unwrap()
        .listener;
    let with = server.run(|| fastopen::listen(("::", PORT))).unwrap();
    let _streams = [PORT, PORT + 1]
        .map(|port| client.run(|| connector().connect((server.ipv4(), port), ReplaySafe("?"))));
    let (stream, _) = with.accept().unwrap();
    assert!(Arrival::of(&stream).unwrap().syn.is_some());
    assert!(Arrival::of(&stream).unwrap().syn.is_none());
    let (stream, _) = without.accept().unwrap();
    assert_eq!(Arrival::of(&stream).unwrap().syn, None);
}

/// IPv6 destination options make the headers longer than any client of good faith does, in a fast SYN and in an ordinary one.
fn no_syn_makes_an_arrival_an_error() {
    let lab = lab(&Scenario::new("long headers").with_host(HostSpec::raw("peer")));
    let server = lab.server().unwrap();
    let target = at(server.ipv6());
    let listener = server.run(|| fastopen::listen(target)).unwrap();
    let mut peer = lab.host("peer").unwrap().raw_peer().unwrap();
    let granted = peer.connect(&peer.syn(target).with_fast_open(&[]), LONG).unwrap();
    let FastOpen::Cookie(_, cookie) = granted.fast_open() else {
        panic!("no cookie")
    };
    listener.accept().unwrap();
    for options in [0, 1, 4, 5] {
        let syn = peer.syn(target).with_data("early");
        let fast = peer
            .syn(target)
            .with_fast_open(cookie.as_bytes())
            .with_data("early");
        for (syn, kind) in [
            (syn, ArrivalKind::Plain),
            (fast, ArrivalKind::Fast { data: true }),
        ] {
            peer.send_packet(&with_destination_options(&syn.to_packet(), options))
                .unwrap();
            let half_open = peer.half_open(&syn, LONG).unwrap();
            if kind == ArrivalKind::Plain {
                peer.send(&half_open.segment()).unwrap();
            }
            let (stream, _) = listener.accept().unwrap();
            let arrival = Arrival::of(&stream).unwrap();
            assert_eq!(arrival.kind, kind);
            let syn = arrival.syn.expect("the whole SYN was saved");
            assert_eq!(syn.data_bytes, 5, "{options} options");
        }
    }
}

/// Puts so many options of 252 bytes between the IPv6 header and the segment, of a kind that receivers skip.
fn with_destination_options(packet: &[u8], options: usize) -> Vec<u8> {
    const IPV6_HEADER: usize = 40;
    const NEXT_HEADER: usize = 6;
    const DESTINATION_OPTIONS: u8 = 60;
    const EXPERIMENT: u8 = 0x1e;
    let (header, segment) = packet.split_at(IPV6_HEADER);
    let mut extension = vec![header[NEXT_HEADER], 0];
    for _ in 0..options {
        extension.extend([EXPERIMENT, 250]);
        extension.extend([0x5a; 250]);
    }
    // The last option fills the header up to a multiple of eight bytes (PadN); Linux drops packets with more padding than that takes.
    let padding = (8 - (extension.len() + 2) % 8) % 8;
    extension.extend([1, padding as u8]);
    extension.extend(vec![0; padding]);
    extension[1] = u8::try_from(extension.len() / 8 - 1).unwrap();
    let mut header = header.to_vec();
    header[NEXT_HEADER] = DESTINATION_OPTIONS;
    let len = u16::try_from(extension.len() + segment.len()).unwrap();
    header[4..6].copy_from_slice(&len.to_be_bytes());
    [&header, &extension, segment].concat()
}
