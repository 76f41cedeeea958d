//! Packets that networks carry beside plain TCP, and what is told of those that can't be read.

use etherparse::PacketBuilder;
use fastopen_lab::testing::{LabTest, test};

use crate::support::{reports, trace, verdicts};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "packets::tunnels_are_looked_into_and_counted",
            tunnels_are_looked_into_and_counted,
        ),
        test(
            "packets::what_can_not_be_read_is_counted",
            what_can_not_be_read_is_counted,
        ),
        test(
            "packets::icmp_errors_explain_a_fallback",
            icmp_errors_explain_a_fallback,
        ),
        test(
            "packets::a_time_without_bounds_is_survived",
            a_time_without_bounds_is_survived,
        ),
        test(
            "packets::versions_and_pointers_are_told",
            versions_and_pointers_are_told,
        ),
    ]
    .into_iter()
}

const COOKIE: [u8; 12] = [34, 10, 0x30, 0x21, 0xb9, 0xd8, 0x89, 0x01, 0x7e, 0xeb, 1, 1];

fn segment(options: &[u8], data: &[u8], answer: Option<u32>) -> Vec<u8> {
    let hosts = [[192, 0, 2, 1], [192, 0, 2, 2]];
    let tcp = match answer {
        None => PacketBuilder::ipv4(hosts[0], hosts[1], 64)
            .tcp(40_000, 80, 7, 65_535)
            .syn(),
        Some(acked) => PacketBuilder::ipv4(hosts[1], hosts[0], 64)
            .tcp(80, 40_000, 1000, 65_535)
            .syn()
            .ack(8 + acked),
    };
    let mut packet = Vec::new();
    tcp.options_raw(options)
        .unwrap()
        .write(&mut packet, data)
        .unwrap();
    packet
}

/// A SYN with five bytes and a cookie, as raw IP.
pub(crate) fn syn() -> Vec<u8> {
    segment(&COOKIE, b"hello", None)
}

fn syn_ack() -> Vec<u8> {
    segment(&[], b"", Some(5))
}

/// A pcap file of that link type, with a millisecond from packet to packet.
pub(crate) fn capture(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link] {
        file.extend(u32::to_le_bytes(word));
    }
    for (number, packet) in (0..).zip(packets) {
        let len = packet.len() as u32;
        for word in [1_700_000_000, number * 1000, len, len] {
            file.extend(u32::to_le_bytes(word));
        }
        file.extend(packet);
    }
    file
}

fn in_vxlan(packet: &[u8]) -> Vec<u8> {
    let frame = [&[8, 0, 0, 0, 0, 0, 9, 0][..], &[2; 12], &[8, 0], packet].concat();
    let mut outer = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(50_000, 4789)
        .write(&mut outer, &frame)
        .unwrap();
    outer
}

fn in_esp(packet: &[u8]) -> Vec<u8> {
    let mut outer = Vec::new();
    PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .write(
            &mut outer,
            etherparse::ip_number::ENCAP_SEC,
            &[&[1; 8], packet].concat(),
        )
        .unwrap();
    outer
}

/// The exit status, standard output and standard error.
fn told(arguments: &[&str], capture: &[u8]) -> (i32, String, String) {
    let output = trace(&[&["--read", "-"], arguments].concat(), capture);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn tunnels_are_looked_into_and_counted() {
    let through = [in_vxlan(&syn()), in_vxlan(&syn_ack())];
    let (status, text, errors) = told(&[], &capture(101, &through));
    assert_eq!((status, &*errors), (0, ""));
    assert!(text.starts_with("accepted "), "{text}");
    assert!(text.ends_with("\namong them: 2 packets in VXLAN\n"), "{text}");
    let deep = (0..10).fold(syn(), |packet, _| in_vxlan(&packet));
    let (status, text, errors) = told(&[], &capture(101, &[deep]));
    assert_eq!(status, 3, "{errors}");
    assert!(
        errors.contains("could not read 1 packet: VXLAN within too many other tunnels"),
        "{errors}"
    );
    assert!(
        text.starts_with("no TCP connection began among the packets that could be read"),
        "{text}"
    );
}

fn what_can_not_be_read_is_counted() {
    let mut fragment = syn();
    fragment[6] = 0x20;
    let mut later = syn();
    later[7] = 9;
    let mut broken = syn();
    broken[0] = 0x41;
    let unreadable = [
        (
            147,
            vec![syn()],
            "could not read 1 packet: link type 147 is not known",
        ),
        (
            101,
            vec![fragment, later],
            "2 IP fragments of TCP packets, 1 of them the first of a SYN",
        ),
        (
            101,
            vec![in_esp(&syn()), in_esp(&syn_ack())],
            "could not read 2 packets: they carry ESP, which is not looked into",
        ),
        (101, vec![broken], "1 packet: a broken IP or TCP header"),
        (101, vec![syn(), vec![]], "1 packet: a broken IP or TCP header"),
    ];
    for (link, packets, what) in unreadable {
        let (status, _, errors) = told(&[], &capture(link, &packets));
        assert_eq!(status, 3, "{what}: {errors}");
        assert!(errors.contains(what), "{what}: {errors}");
    }
    let mut short = capture(101, &[syn()[..30].to_vec()]);
    short[24 + 12] = 57;
    let (status, _, errors) = told(&[], &short);
    assert_eq!(status, 3);
    assert!(errors.contains("1 packet: captured too short"), "{errors}");
    let arp = [&[2; 12][..], &[8, 6], &[0; 28]].concat();
    let (status, text, errors) = told(&[], &capture(1, &[arp]));
    assert_eq!(
        (status, &*errors),
        (0, ""),
        "packets of other protocols count as read: {text}"
    );
}

fn icmp_errors_explain_a_fallback() {
    let message = [&[3, 4, 0, 0, 0, 0, 5, 0][..], &syn()[..48]].concat();
    let mut error = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 254], [192, 0, 2, 1], 64)
        .write(&mut error, etherparse::ip_number::ICMP, &message)
        .unwrap();
    let packets = [syn(), error, segment(&[], b"", None), segment(&[], b"", Some(0))];
    let (status, text, _) = told(&[], &capture(101, &packets));
    assert_eq!(status, 0);
    let line = text.lines().next().unwrap();
    assert!(line.starts_with("syn-lost "), "{line}");
    assert!(
        line.ends_with(
            "; ICMP from 192.0.2.254: fragmentation needed, MTU 1280; fallback after an ICMP error, 0.002 s"
        ),
        "{line}"
    );
    assert!(
        text.ends_with("\namong them: 1 ICMP error about a SYN\n"),
        "{text}"
    );
    let (_, text, _) = told(&["--json"], &capture(101, &packets));
    assert_eq!(reports(text.as_bytes())[0]["notes"][1]["cause"], "icmp");
    // Without the ICMP error, as tcpdump's filter `tcp` has it, it is still no timeout.
    let (_, text, _) = told(&[], &capture(101, &[&packets[..1], &packets[2..]].concat()));
    assert!(
        text.contains("fallback after less than a timeout, 0.001 s"),
        "{text}"
    );
}

fn a_time_without_bounds_is_survived() {
    let block = |kind: u32, body: &[u8]| {
        let len = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &len, body, &len].concat()
    };
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    // Its times count whole seconds.
    let interface = [101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let packet = segment(&[], b"", None);
    let lengths = (packet.len() as u32).to_le_bytes();
    let packet = [
        &[0; 4],
        &[0xff; 4],
        &[0xf0, 0xff, 0xff, 0xff],
        &lengths,
        &lengths,
        &packet[..],
    ]
    .concat();
    let file = [
        block(0x0a0d_0d0a, &section),
        block(1, &interface),
        block(6, &packet),
    ]
    .concat();
    assert_eq!(file.len(), 132);
    let dir = tempfile::tempdir().unwrap();
    let written = dir.path().join("written.pcapng");
    let (status, text, errors) = told(&["--write", written.to_str().unwrap(), "--json"], &file);
    assert_eq!(status, 0, "{errors}");
    assert_eq!(verdicts(&reports(text.as_bytes())), ["inconclusive"]);
    let (status, text, errors) = told(&["--json"], &std::fs::read(written).unwrap());
    assert_eq!(status, 0, "{errors}");
    assert_eq!(verdicts(&reports(text.as_bytes())), ["inconclusive"]);
}

fn versions_and_pointers_are_told() {
    let mut old = capture(101, &[syn()]);
    old[4] = 1;
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    for (file, what) in [
        (&old[..], "pcap 1.4: there is no such version"),
        (pointer, "a Git LFS pointer, not the capture itself"),
    ] {
        let (status, _, errors) = told(&[], file);
        assert_eq!(status, 2, "{errors}");
        assert!(errors.contains(what) && errors.contains("\nhint: "), "{errors}");
    }
}
