//! Writes a capture to measure readers with: `cargo run --release -p tfo --example generate-capture -- 3000000 > FILE`.
//!
//! The same number of packets gives the same bytes. Connections of 24 packets each overlap, 512 at a time; one in four runs over IPv6.
//! Of eight connections four are plain, one asks for a cookie, two have their data accepted and one has them ignored.
//!
//! With `syns` behind the number all packets are SYNs, each of another connection and none answered, as in a flood or a scan.

use std::io::{self, BufWriter, Write};

use etherparse::PacketBuilder;

const AT_A_TIME: u64 = 512;
const PACKETS: u64 = 24;
/// Options of a SYN. A SYN-ACK's echo the timestamp.
const REQUEST: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 34, 2, 1, 1];
const COOKIE: [u8; 28] = [
    2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 34, 10, 0x30, 0x21, 0xb9, 0xd8, 0x89, 0x01, 0x7e,
    0xeb, 1, 1,
];
const PLAIN: [u8; 16] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
const ECHO: std::ops::Range<usize> = 12..16;
const TIMESTAMPS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];
const CLIENT_ISN: u32 = 1_000;
const SERVER_ISN: u32 = 5_000_000;
const DATA: u32 = 200;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let packets: u64 = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .ok_or_else(|| io::Error::other("say how many packets"))?;
    let only_syns = arguments.next().is_some_and(|kind| kind == "syns");
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    // The header of a pcap file: microseconds, version 2.4, snapshot length, Ethernet.
    out.write_all(&0xa1b2_c3d4_u32.to_le_bytes())?;
    out.write_all(&[2, 0, 4, 0])?;
    out.write_all(&[0; 8])?;
    out.write_all(&262_144_u32.to_le_bytes())?;
    out.write_all(&1_u32.to_le_bytes())?;
    let mut frame = Vec::new();
    for number in 0..packets {
        let (batch, within) = (number / (AT_A_TIME * PACKETS), number % (AT_A_TIME * PACKETS));
        frame.clear();
        match only_syns {
            true => packet(number, 0, &mut frame)?,
            false => packet(
                batch * AT_A_TIME + within % AT_A_TIME,
                within / AT_A_TIME,
                &mut frame,
            )?,
        }
        let micros = number * 7;
        let seconds = (1_700_000_000 + micros / 1_000_000) as u32;
        for word in [
            seconds,
            (micros % 1_000_000) as u32,
            frame.len() as u32,
            frame.len() as u32,
        ] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&frame)?;
    }
    out.flush()
}

/// The connection's packet of that index.
fn packet(connection: u64, index: u64, frame: &mut Vec<u8>) -> io::Result<()> {
    let (syn, granted, in_syn, acked): (&[u8], &[u8], u32, u32) = match connection % 8 {
        0..4 => (&PLAIN, &PLAIN, 0, 0),
        4 => (&REQUEST, &COOKIE, 0, 0),
        5 | 6 => (&COOKIE, &PLAIN, DATA, DATA),
        _ => (&COOKIE, &PLAIN, DATA, 0),
    };
    let sent = CLIENT_ISN + 1 + acked;
    let up = match index {
        0 | 2 | 3 => true,
        1 => false,
        index => index % 3 == 0,
    };
    let packet = Packet { connection, up };
    match index {
        0 => packet.write(frame, Flags::Syn, CLIENT_ISN, 0, syn, in_syn),
        1 => {
            let mut options = granted.to_vec();
            options[ECHO].copy_from_slice(&1_u32.to_be_bytes());
            packet.write(frame, Flags::SynAck, SERVER_ISN, sent, &options, 0)
        }
        2 => packet.write(frame, Flags::Ack, sent, SERVER_ISN + 1, &TIMESTAMPS, 0),
        3 => packet.write(frame, Flags::Ack, sent, SERVER_ISN + 1, &TIMESTAMPS, DATA - acked),
        index => {
            let end = CLIENT_ISN + 1 + DATA;
            let received = SERVER_ISN + 1 + (index as u32 - 4) * 1_000;
            let last = index + 2 >= PACKETS;
            let flags = if last { Flags::FinAck } else { Flags::Ack };
            match up {
                true => packet.write(frame, flags, end, received, &TIMESTAMPS, 0),
                false => packet.write(frame, flags, received, end, &TIMESTAMPS, 1_000),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Flags {
    Syn,
    SynAck,
    Ack,
    FinAck,
}

struct Packet {
    connection: u64,
    up: bool,
}

impl Packet {
    fn write(
        &self,
        frame: &mut Vec<u8>,
        flags: Flags,
        sequence: u32,
        acknowledgment: u32,
        options: &[u8],
        payload_len: u32,
    ) -> io::Result<()> {
        let client = (self.connection / 50_000) as u16;
        let port = 10_000 + (self.connection % 50_000) as u16;
        let (ports, ends) = match self.up {
            true => ((port, 80), (0, 1)),
            false => ((80, port), (1, 0)),
        };
        let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip = match self.connection % 4 {
            3 => {
                let mut hosts = [[0; 16]; 2];
                for (host, last) in hosts.iter_mut().zip([1, 2]) {
                    host[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
                    host[15] = last;
                }
                hosts[0][12..14].copy_from_slice(&client.to_be_bytes());
                ethernet.ipv6(hosts[ends.0], hosts[ends.1], 64)
            }
            _ => {
                let [high, low] = client.to_be_bytes();
                let hosts = [[10, high, low, 1], [192, 0, 2, 2]];
                ethernet.ipv4(hosts[ends.0], hosts[ends.1], 64)
            }
        };
        let tcp = ip.tcp(ports.0, ports.1, sequence, 65_535);
        let tcp = match flags {
            Flags::Syn => tcp.syn(),
            Flags::SynAck => tcp.syn().ack(acknowledgment),
            Flags::Ack => tcp.ack(acknowledgment),
            Flags::FinAck => tcp.fin().ack(acknowledgment),
        };
        tcp.options_raw(options)
            .map_err(io::Error::other)?
            .write(frame, &[b'x'; 1_000][..payload_len as usize])
            .map_err(io::Error::other)
    }
}
