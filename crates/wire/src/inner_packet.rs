//! The IP packet that travels in another one, through a tunnel.

use crate::encapsulation::{BRIDGED, IPV4, IPV6, Layer, ip_packet};
use crate::ip::{Fragment, IpPacket};
use crate::link_type::LinkError;
use crate::tunnel::Tunnel;

const IPV4_IN_IP: u8 = 4;
pub(crate) const UDP: u8 = 17;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const ETHERNET_IN_IP: u8 = 97;
const MPLS_IN_IP: u8 = 137;

pub(crate) const L2TP_PORT: u16 = 1701;

type Inner<'a> = Result<&'a [u8], LinkError>;

/// The tunnel that a packet is one of, and the IP packet in it; `None` where it is no tunnel's, or can't be told to be one.
pub(crate) fn inner_packet<'a>(ip: &IpPacket<'a>) -> Option<(Tunnel, Inner<'a>)> {
    if ip.fragment == Fragment::Later {
        return None;
    }
    let payload = ip.payload;
    Some(match ip.protocol {
        IPV4_IN_IP | IPV6_IN_IP => (Tunnel::IpInIp, Ok(payload)),
        GRE => (Tunnel::Gre, gre(payload)?),
        ETHERNET_IN_IP => (
            Tunnel::EtherIp,
            payload
                .get(2..)
                .ok_or(LinkError::Short)
                .and_then(|frame| ip_packet(Layer::Ethernet, frame)),
        ),
        MPLS_IN_IP => (Tunnel::MplsInIp, ip_packet(Layer::Mpls, payload)),
        UDP => in_udp(payload)?,
        _ => return None,
    })
}

/// By the destination port that the protocol's own document gives, or the one that Linux used for VXLAN before there was one. L2TP's
/// answers come from its port.
fn in_udp(datagram: &[u8]) -> Option<(Tunnel, Inner<'_>)> {
    let (&[s1, s2, d1, d2, ..], payload) = datagram.split_first_chunk::<8>()?;
    let (source, destination) = (u16::from_be_bytes([s1, s2]), u16::from_be_bytes([d1, d2]));
    if source == L2TP_PORT || destination == L2TP_PORT {
        return Some((Tunnel::L2tp, l2tp(payload)?));
    }
    Some(match destination {
        4789 | 8472 => (Tunnel::Vxlan, vxlan(payload)?),
        4790 => (Tunnel::Vxlan, vxlan_gpe(payload)?),
        6081 => (Tunnel::Geneve, geneve(payload)?),
        2152 => (Tunnel::GtpU, gtp_u(payload)?),
        _ => return None,
    })
}

fn vxlan(payload: &[u8]) -> Option<Inner<'_>> {
    const HAS_NETWORK_ID: u8 = 0x08;
    let (header, frame) = payload.split_first_chunk::<8>()?;
    (header[0] & HAS_NETWORK_ID != 0).then(|| ip_packet(Layer::Ethernet, frame))
}

/// draft-ietf-nvo3-vxlan-gpe: the last byte of the reserved ones says what follows.
fn vxlan_gpe(payload: &[u8]) -> Option<Inner<'_>> {
    const HAS_NEXT_PROTOCOL: u8 = 0x04;
    let (header, rest) = payload.split_first_chunk::<8>()?;
    match (header[0] & HAS_NEXT_PROTOCOL != 0, header[3]) {
        (true, 1 | 2) => Some(Ok(rest)),
        (true, 3) | (false, _) => vxlan(payload),
        _ => None,
    }
}

fn geneve(payload: &[u8]) -> Option<Inner<'_>> {
    const CONTROL: u8 = 0x80;
    let (&[first, second, t1, t2, ..], rest) = payload.split_first_chunk::<8>()?;
    let (version, options_len) = (first >> 6, usize::from(first & 0x3f) * 4);
    if version != 0 || second & CONTROL != 0 {
        return None;
    }
    let ether_type = u16::from_be_bytes([t1, t2]);
    Some(
        rest.get(options_len..)
            .ok_or(LinkError::Short)
            .and_then(|rest| ip_packet(Layer::EtherType(ether_type), rest)),
    )
}

fn gtp_u(payload: &[u8]) -> Option<Inner<'_>> {
    const USER_DATA: u8 = 0xff;
    const HAS_MORE: u8 = 0x07;
    const HAS_EXTENSION: u8 = 0x04;
    let (&[first, kind, ..], mut rest) = payload.split_first_chunk::<8>()?;
    let is_version_1 = first & 0xf0 == 0x30;
    if !is_version_1 || kind != USER_DATA {
        return None;
    }
    if first & HAS_MORE != 0 {
        let Some((&[.., extension], more)) = rest.split_first_chunk::<4>() else {
            return Some(Err(LinkError::Short));
        };
        rest = more;
        let mut next = if first & HAS_EXTENSION != 0 { extension } else { 0 };
        // Extension headers: a length in words of four bytes, and the next one's type at the end.
        while next != 0 {
            let len = rest.first().map_or(0, |words| usize::from(*words) * 4);
            let Some((extension, more)) = rest.split_at_checked(len).filter(|_| len > 0) else {
                return Some(Err(LinkError::Short));
            };
            next = extension[len - 1];
            rest = more;
        }
    }
    matches!(rest.first().map(|first| first >> 4), None | Some(4 | 6)).then_some(Ok(rest))
}

/// Version 2: a tunnel's and a session's number, and a PPP frame (RFC 2661, section 3.1).
fn l2tp(payload: &[u8]) -> Option<Inner<'_>> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const RESERVED: u16 = 0x34f0;
    const VERSION: u16 = 0x000f;
    let (&[f1, f2], _) = payload.split_first_chunk()?;
    let flags = u16::from_be_bytes([f1, f2]);
    if flags & VERSION != 2 || flags & (CONTROL | RESERVED) != 0 {
        return None;
    }
    let len_before_offset =
        6 + if flags & LENGTH != 0 { 2 } else { 0 } + if flags & SEQUENCE != 0 { 4 } else { 0 };
    let padding = match payload.get(len_before_offset..len_before_offset + 2) {
        _ if flags & OFFSET == 0 => 0,
        Some(size) => 2 + usize::from(u16::from_be_bytes([size[0], size[1]])),
        None => return Some(Err(LinkError::Short)),
    };
    Some(
        payload
            .get(len_before_offset + padding..)
            .ok_or(LinkError::Short)
            .and_then(|frame| ip_packet(Layer::Ppp, frame)),
    )
}

fn gre(payload: &[u8]) -> Option<Inner<'_>> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    const VERSION: u16 = 0x0007;
    let (&[f1, f2, t1, t2], rest) = payload.split_first_chunk()?;
    let (flags, protocol) = (u16::from_be_bytes([f1, f2]), u16::from_be_bytes([t1, t2]));
    if flags & ROUTING != 0 || flags & VERSION > 1 {
        return None;
    }
    let words = [CHECKSUM, KEY, SEQUENCE]
        .iter()
        .filter(|bit| flags & **bit != 0)
        .count()
        + usize::from(flags & VERSION == 1 && flags & ACKNOWLEDGMENT != 0);
    let Some(rest) = rest.get(words * 4..) else {
        return Some(Err(LinkError::Short));
    };
    Some(match protocol {
        IPV4 | IPV6 => Ok(rest),
        BRIDGED => ip_packet(Layer::Ethernet, rest),
        // EoIP, of MikroTik's routers: a length and the tunnel's number in the key's place. Without a frame it is a keepalive.
        0x6400 if rest.is_empty() => return None,
        0x6400 if flags & VERSION == 1 => ip_packet(Layer::Ethernet, rest),
        // WCCP, of web caches: version 2 has four bytes of its own in front (net/ipv4/gre_demux.c).
        0x883e => match rest.first().map(|first| first >> 4) {
            Some(4) => Ok(rest),
            _ => rest.get(4..).ok_or(LinkError::Short),
        },
        0x88be if flags & SEQUENCE == 0 => ip_packet(Layer::Ethernet, rest),
        0x88be | 0x22eb => mirrored(protocol, rest),
        other => ip_packet(Layer::EtherType(other), rest),
    })
}

/// ERSPAN, types II and III: a switch's copy of a frame (draft-foschiano-erspan).
fn mirrored(protocol: u16, rest: &[u8]) -> Inner<'_> {
    const HAS_MORE: u8 = 0x01;
    let len = match (protocol, rest.get(11)) {
        (0x88be, _) => 8,
        (_, Some(last)) if last & HAS_MORE != 0 => 20,
        _ => 12,
    };
    rest.get(len..)
        .ok_or(LinkError::Short)
        .and_then(|frame| ip_packet(Layer::Ethernet, frame))
}
