//! Which packets are of interest, as a program for the kernel (<https://docs.kernel.org/networking/filter.html>).

use std::net::IpAddr;

use super::SNAP_LEN;
use super::assembler::{
    Assembler, BYTE, HALF, HARDWARE_TYPE, INDEX_BY_HEADER_LEN, INDEXED_BYTE, INDEXED_HALF, Label,
    PACKET_TYPE, PROTOCOL, RETURN, Test, WORD,
};
use crate::sys::instruction::Instruction;

const ICMP: u32 = 1;
const TCP: u32 = 6;
const ICMPV6: u32 = 58;
/// Destination unreachable, time exceeded, parameter problem; in IPv6 also packet too big.
const ICMP_ERRORS: [u32; 3] = [3, 11, 12];
const ICMPV6_ERRORS: [u32; 4] = [1, 2, 3, 4];
/// Hop-by-hop options, routing, fragment, authentication, destination options.
const EXTENSIONS: [u32; 5] = [0, 43, 44, 51, 60];
/// `ARPHRD_LOOPBACK` and `PACKET_OUTGOING`.
const LOOPBACK: u32 = 772;
const OUTGOING: u32 = 4;
/// Keeps the program far below the 4096 instructions that the kernel accepts.
const MOST_HOSTS: usize = 64;

/// TCP packets from or to some hosts, and from or to a port, and the ICMP errors that quote TCP packets.
///
/// All packets of those connections pass, not just the handshake's: what follows it says what the client made of the answer, and a
/// program without a memory can't tell the first data from later ones. Fragments are left out but for the first. IPv6 packets with
/// extension headers pass whatever their port, and ICMP errors whatever packet they quote: to be looked at again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    hosts: Vec<IpAddr>,
    port: Option<u16>,
}

impl Filter {
    /// Takes packets from or to one of these addresses only.
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = IpAddr>) -> Self {
        self.hosts.extend(hosts);
        self
    }

    /// Takes packets from or to this port only.
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The program: it is given a packet from the IP header on, and returns how many bytes to keep.
    pub(crate) fn program(&self) -> Vec<Instruction> {
        let mut program = Assembler::default();
        let [accept, drop] = [program.label(), program.label()];
        Self::drop_what_leaves_by_loopback(&mut program, drop);
        let [ipv4, ipv6] = [program.label(), program.label()];
        program.load(HALF, PROTOCOL);
        program.branch(Test::Equal(0x0800), ipv4);
        program.branch(Test::Equal(0x86dd), ipv6);
        program.jump(drop);
        program.place(ipv4);
        self.ipv4(&mut program, accept, drop);
        program.place(ipv6);
        self.ipv6(&mut program, accept, drop);
        program.place(accept);
        program.emit(RETURN, SNAP_LEN as u32);
        program.place(drop);
        program.emit(RETURN, 0);
        program.finish()
    }

    fn drop_what_leaves_by_loopback(program: &mut Assembler, drop: Label) {
        let other = program.label();
        program.load(WORD, HARDWARE_TYPE);
        program.branch(Test::NotEqual(LOOPBACK), other);
        program.load(WORD, PACKET_TYPE);
        program.branch(Test::Equal(OUTGOING), drop);
        program.place(other);
    }

    fn ipv4(&self, program: &mut Assembler, accept: Label, drop: Label) {
        let tcp = program.label();
        program.load(BYTE, 9);
        program.branch(Test::Equal(TCP), tcp);
        program.branch(Test::NotEqual(ICMP), drop);
        program.emit(INDEX_BY_HEADER_LEN, 0);
        program.load(INDEXED_BYTE, 0);
        Self::quoting(program, &ICMP_ERRORS, drop);
        program.load(INDEXED_BYTE, 8 + 9);
        program.branch(Test::Equal(TCP), accept);
        program.jump(drop);
        program.place(tcp);
        program.load(HALF, 6);
        program.branch(Test::AnyOf(0x1fff), drop);
        if self.tells_hosts() {
            let known = program.label();
            for host in &self.hosts {
                let IpAddr::V4(host) = host else { continue };
                for address in [12, 16] {
                    program.load(WORD, address);
                    program.branch(Test::Equal(host.to_bits()), known);
                }
            }
            program.jump(drop);
            program.place(known);
        }
        if let Some(port) = self.port {
            program.emit(INDEX_BY_HEADER_LEN, 0);
            for end in [0, 2] {
                program.load(INDEXED_HALF, end);
                program.branch(Test::Equal(port.into()), accept);
            }
            program.jump(drop);
        } else {
            program.jump(accept);
        }
    }

    /// Drops what is no error.
    fn quoting(program: &mut Assembler, errors: &[u32], drop: Label) {
        let error = program.label();
        for kind in errors {
            program.branch(Test::Equal(*kind), error);
        }
        program.jump(drop);
        program.place(error);
    }

    fn ipv6(&self, program: &mut Assembler, accept: Label, drop: Label) {
        let other = program.label();
        program.load(BYTE, 6);
        program.branch(Test::NotEqual(ICMPV6), other);
        program.load(BYTE, 40);
        Self::quoting(program, &ICMPV6_ERRORS, drop);
        program.load(BYTE, 40 + 8 + 6);
        for protocol in EXTENSIONS.into_iter().chain([TCP]) {
            program.branch(Test::Equal(protocol), accept);
        }
        program.jump(drop);
        program.place(other);
        if self.tells_hosts() {
            let known = program.label();
            for host in &self.hosts {
                let IpAddr::V6(host) = host else { continue };
                let bits = host.to_bits();
                for address in [8, 24] {
                    let other = program.label();
                    for (offset, shift) in [(0, 96), (4, 64), (8, 32), (12, 0)] {
                        program.load(WORD, address + offset);
                        program.branch(Test::NotEqual((bits >> shift) as u32), other);
                    }
                    program.jump(known);
                    program.place(other);
                }
            }
            program.jump(drop);
            program.place(known);
        }
        program.load(BYTE, 6);
        for extension in EXTENSIONS {
            program.branch(Test::Equal(extension), accept);
        }
        program.branch(Test::NotEqual(TCP), drop);
        if let Some(port) = self.port {
            for end in [40, 42] {
                program.load(HALF, end);
                program.branch(Test::Equal(port.into()), accept);
            }
            program.jump(drop);
        } else {
            program.jump(accept);
        }
    }

    /// Whether the program looks at the hosts: of very many it can't.
    fn tells_hosts(&self) -> bool {
        !self.hosts.is_empty() && self.hosts.len() <= MOST_HOSTS
    }
}

#[cfg(test)]
mod tests {
    use super::super::assembler::tests::run;
    use super::*;

    const ETHERNET: u32 = 1;
    const HOST: u32 = 0;

    fn ipv4(source: [u8; 4], destination: [u8; 4], ports: [u16; 2], options: usize, protocol: u8) -> Vec<u8> {
        let mut packet = vec![0; 20 + options + 20];
        packet[0] = 0x45 + (options / 4) as u8;
        packet[9] = protocol;
        packet[12..16].copy_from_slice(&source);
        packet[16..20].copy_from_slice(&destination);
        packet[20 + options..][..2].copy_from_slice(&ports[0].to_be_bytes());
        packet[22 + options..][..2].copy_from_slice(&ports[1].to_be_bytes());
        packet
    }

    fn ipv6(source: u128, destination: u128, ports: [u16; 2], next: u8) -> Vec<u8> {
        let mut packet = vec![0; 60];
        packet[0] = 0x60;
        packet[6] = next;
        packet[8..24].copy_from_slice(&source.to_be_bytes());
        packet[24..40].copy_from_slice(&destination.to_be_bytes());
        packet[40..42].copy_from_slice(&ports[0].to_be_bytes());
        packet[42..44].copy_from_slice(&ports[1].to_be_bytes());
        packet
    }

    fn takes(filter: &Filter, packet: &[u8]) -> bool {
        let protocol = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
        run(&filter.program(), packet, [protocol, HOST, ETHERNET]) > 0
    }

    #[test]
    fn hosts_and_ports_count_at_either_end() {
        let v4 = ipv4([192, 0, 2, 1], [192, 0, 2, 2], [4000, 80], 8, 6);
        let v6 = ipv6(0x2001_0db8 << 96 | 1, 0x2001_0db8 << 96 | 2, [4000, 80], 6);
        let any = Filter::default();
        for (hosts, port, takes_v4, takes_v6) in [
            (&[][..], None, true, true),
            (&[], Some(80), true, true),
            (&[], Some(4000), true, true),
            (&[], Some(81), false, false),
            (&["192.0.2.1"], None, true, false),
            (&["192.0.2.2"], Some(80), true, false),
            (&["192.0.2.2"], Some(81), false, false),
            (&["2001:db8::1"], Some(4000), false, true),
            (&["2001:db8::3", "192.0.2.3"], None, false, false),
            (
                &["2001:db8::3", "192.0.2.3", "2001:db8::2", "192.0.2.2"],
                None,
                true,
                true,
            ),
        ] {
            let mut filter = any
                .clone()
                .with_hosts(hosts.iter().map(|host| host.parse().unwrap()));
            filter.port = port;
            assert_eq!(takes(&filter, &v4), takes_v4, "{hosts:?} {port:?}");
            assert_eq!(takes(&filter, &v6), takes_v6, "{hosts:?} {port:?}");
        }
    }

    #[test]
    fn what_is_not_tcp_or_not_whole_is_left_out() {
        let any = Filter::default();
        assert!(!takes(&any, &ipv4([1; 4], [2; 4], [1, 2], 0, 17)));
        assert!(!takes(&any, &ipv6(1, 2, [1, 2], 17)));
        let mut fragment = ipv4([1; 4], [2; 4], [1, 2], 0, 6);
        fragment[7] = 1;
        assert!(!takes(&any, &fragment));
        assert_eq!(run(&any.program(), &[0; 60], [0x0806, HOST, ETHERNET]), 0, "ARP");
    }

    #[test]
    fn icmp_errors_about_tcp_pass_whatever_they_quote() {
        let filter = Filter::default()
            .with_hosts(["203.0.113.1".parse().unwrap()])
            .with_port(443);
        let quote = ipv4([1; 4], [2; 4], [1, 2], 0, 6);
        let v4 = |kind, options: usize, quote: &[u8]| {
            let mut packet = ipv4([3; 4], [1; 4], [0, 0], options, 1);
            packet.truncate(20 + options);
            [&packet[..], &[kind, 0, 0, 0, 0, 0, 0, 0], quote].concat()
        };
        assert!(takes(&filter, &v4(3, 0, &quote)) && takes(&filter, &v4(11, 8, &quote)));
        assert!(!takes(&filter, &v4(8, 0, &quote)), "an echo request");
        assert!(
            !takes(&filter, &v4(3, 0, &ipv4([1; 4], [2; 4], [1, 2], 0, 17))),
            "about UDP"
        );
        let v6 = |kind, quote: &[u8]| {
            [&ipv6(3, 1, [0, 0], 58)[..40], &[kind, 0, 0, 0, 0, 0, 0, 0], quote].concat()
        };
        let quote = ipv6(1, 2, [1, 2], 6);
        assert!(takes(&filter, &v6(2, &quote)) && !takes(&filter, &v6(128, &quote)));
        assert!(!takes(&filter, &v6(1, &ipv6(1, 2, [1, 2], 17))));
    }

    #[test]
    fn extension_headers_pass_whatever_the_port() {
        for next in EXTENSIONS {
            let packet = ipv6(1, 2, [1, 2], next as u8);
            assert!(takes(&Filter::default().with_port(80), &packet));
            let host = "2001:db8::1".parse().unwrap();
            assert!(!takes(&Filter::default().with_hosts([host]), &packet));
        }
    }

    #[test]
    fn loopback_shows_each_packet_once() {
        let packet = ipv4([127, 0, 0, 1], [127, 0, 0, 1], [1, 2], 0, 6);
        let program = Filter::default().program();
        assert_eq!(run(&program, &packet, [0x0800, OUTGOING, LOOPBACK]), 0);
        assert!(run(&program, &packet, [0x0800, HOST, LOOPBACK]) > 0);
        assert!(run(&program, &packet, [0x0800, OUTGOING, ETHERNET]) > 0);
    }

    #[test]
    fn the_kernel_takes_programs_for_any_number_of_hosts() {
        for hosts in [0, 1, MOST_HOSTS, 10_000] {
            let hosts = (0..hosts as u128).map(|host| IpAddr::V6(host.into()));
            let program = Filter::default().with_hosts(hosts).with_port(80).program();
            assert!(program.len() <= 4096, "{}", program.len());
        }
    }
}
