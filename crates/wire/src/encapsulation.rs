//! What may stand between a link layer and IP: EtherTypes, VLAN tags, 802.2, PPPoE, PPP and MPLS, in any order.

use crate::link_type::LinkError;

/// The header that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Two addresses, then an EtherType or the length of an 802.2 frame.
    Ethernet,
    /// What this EtherType announces; the type itself is already read.
    EtherType(u16),
    /// 802.2 LLC, with or without SNAP.
    Llc,
    /// RFC 2516.
    Pppoe,
    /// RFC 1661, with or without the address and control bytes of RFC 1662.
    Ppp,
    /// A stack of labels (RFC 3032).
    Mpls,
    /// An IP packet.
    Ip,
}

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
/// A VLAN tag: 802.1Q, 802.1ad, and the numbers that were used before 802.1ad.
const CUSTOMER_TAG: u16 = 0x8100;
const SERVICE_TAG: u16 = 0x88a8;
const OLD_TAGS: [u16; 3] = [0x9100, 0x9200, 0x9300];
/// 802.1ah: a tag of four bytes, and another Ethernet header behind it.
const BACKBONE_TAG: u16 = 0x88e7;
const PPPOE_SESSION: u16 = 0x8864;
const MPLS_UNICAST: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
/// Transparent Ethernet bridging: another Ethernet header.
pub(crate) const BRIDGED: u16 = 0x6558;
const PPP: u16 = 0x880b;
/// The largest number at an EtherType's place that is the length of an 802.2 frame.
const LARGEST_LENGTH: u16 = 1500;

/// Finds the IP packet behind these headers. Each header takes bytes, so that the frame's length bounds how many there can be.
#[inline]
pub(crate) fn ip_packet(mut layer: Layer, mut rest: &[u8]) -> Result<&[u8], LinkError> {
    loop {
        (layer, rest) = match layer {
            Layer::Ip => return Ok(rest),
            Layer::Ethernet => ethernet(rest)?,
            Layer::EtherType(IPV4 | IPV6) => return Ok(rest),
            Layer::EtherType(other) => announced(other, rest)?,
            Layer::Llc => llc(rest)?,
            Layer::Pppoe => pppoe(rest)?,
            Layer::Ppp => ppp(rest)?,
            Layer::Mpls => mpls(rest)?,
        };
    }
}

type Next<'a> = Result<(Layer, &'a [u8]), LinkError>;

#[inline]
fn ethernet(frame: &[u8]) -> Next<'_> {
    let (header, rest) = frame.split_first_chunk::<14>().ok_or(LinkError::Short)?;
    let [.., t1, t2] = *header;
    Ok(match u16::from_be_bytes([t1, t2]) {
        ..=LARGEST_LENGTH => (Layer::Llc, rest),
        ether_type => (Layer::EtherType(ether_type), rest),
    })
}

fn announced(ether_type: u16, rest: &[u8]) -> Next<'_> {
    match ether_type {
        CUSTOMER_TAG | SERVICE_TAG => tagged(rest),
        old if OLD_TAGS.contains(&old) => tagged(rest),
        BACKBONE_TAG => Ok((Layer::Ethernet, behind::<4>(rest)?)),
        PPPOE_SESSION => Ok((Layer::Pppoe, rest)),
        PPP => Ok((Layer::Ppp, rest)),
        MPLS_UNICAST | MPLS_MULTICAST => Ok((Layer::Mpls, rest)),
        BRIDGED => Ok((Layer::Ethernet, rest)),
        other => not_ip(other),
    }
}

/// A VLAN tag's own two bytes, then another EtherType or length.
fn tagged(rest: &[u8]) -> Next<'_> {
    let (&[_, _, t1, t2], rest) = rest.split_first_chunk().ok_or(LinkError::Short)?;
    Ok(match u16::from_be_bytes([t1, t2]) {
        ..=LARGEST_LENGTH => (Layer::Llc, rest),
        ether_type => (Layer::EtherType(ether_type), rest),
    })
}

fn llc(frame: &[u8]) -> Next<'_> {
    const SNAP: u8 = 0xaa;
    const IP: u8 = 0x06;
    const UNNUMBERED: u8 = 0x03;
    /// Organisations under which an EtherType follows: that of RFC 1042, and that of 802.1H.
    const ORGANISATIONS: &[[u8; 3]] = &[[0; 3], [0, 0, 0xf8]];
    let (&[destination, source, control], rest) = frame.split_first_chunk().ok_or(LinkError::Short)?;
    match (destination, source, control) {
        (IP, IP, UNNUMBERED) => Ok((Layer::Ip, required(rest)?)),
        (SNAP, SNAP, UNNUMBERED) => {
            let (&[o1, o2, o3, t1, t2], rest) = rest.split_first_chunk().ok_or(LinkError::Short)?;
            let number = u16::from_be_bytes([t1, t2]);
            match ORGANISATIONS.contains(&[o1, o2, o3]) {
                true => Ok((Layer::EtherType(number), rest)),
                false => not_ip(number),
            }
        }
        _ => not_ip(destination),
    }
}

fn pppoe(frame: &[u8]) -> Next<'_> {
    const SESSION_DATA: u8 = 0;
    let (&[_, code, ..], rest) = frame.split_first_chunk::<6>().ok_or(LinkError::Short)?;
    match code {
        SESSION_DATA => Ok((Layer::Ppp, rest)),
        _ => not_ip(PPPOE_SESSION),
    }
}

fn ppp(frame: &[u8]) -> Next<'_> {
    const ALL_STATIONS: u8 = 0xff;
    let rest = match *frame {
        [ALL_STATIONS, _, ref rest @ ..] => rest,
        [ALL_STATIONS] => return Err(LinkError::Short),
        _ => frame,
    };
    // The last byte of a protocol's number is odd and the others are even, so that a first byte of 0 may be left out.
    let (protocol, rest) = match *rest {
        [only, ref rest @ ..] if only & 1 == 1 => (u16::from(only), rest),
        [first, second, ref rest @ ..] => (u16::from_be_bytes([first, second]), rest),
        _ => return Err(LinkError::Short),
    };
    match protocol {
        0x0021 | 0x0057 => Ok((Layer::Ip, rest)),
        0x0281 | 0x0283 => Ok((Layer::Mpls, rest)),
        other => not_ip(other),
    }
}

/// Labels do not say what they carry: the first half byte behind the last one is the IP version, or 0 in front of a pseudowire's
/// Ethernet frame (RFC 4385).
fn mpls(mut rest: &[u8]) -> Next<'_> {
    loop {
        let (&[_, _, third, _], behind_label) = rest.split_first_chunk().ok_or(LinkError::Short)?;
        rest = behind_label;
        if third & 1 == 1 {
            break;
        }
    }
    match rest.first().map(|first| first >> 4) {
        None => Err(LinkError::Short),
        Some(4 | 6) => Ok((Layer::Ip, rest)),
        Some(0) => Ok((Layer::Ethernet, behind::<4>(rest)?)),
        Some(_) => Ok((Layer::Ethernet, rest)),
    }
}

fn behind<const N: usize>(rest: &[u8]) -> Result<&[u8], LinkError> {
    rest.get(N..).ok_or(LinkError::Short)
}

fn required(rest: &[u8]) -> Result<&[u8], LinkError> {
    if rest.is_empty() {
        return Err(LinkError::Short);
    }
    Ok(rest)
}

fn not_ip<'a>(protocol: impl Into<u32>) -> Next<'a> {
    Err(LinkError::NotIp {
        protocol: protocol.into(),
    })
}
