//! IP packets: their addresses, and what they carry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::DecodeError;

const V4_HEADER_LEN: usize = 20;
const V6_HEADER_LEN: usize = 40;
/// Where a fragment belongs in its packet, and whether more fragments follow.
const V4_OFFSET: u16 = 0x1fff;
const V4_MORE: u16 = 0x2000;
const V6_OFFSET: u16 = 0xfff8;
const V6_MORE: u16 = 1;

const HOP_BY_HOP: u8 = 0;
pub(crate) const TCP: u8 = 6;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const FRAGMENT_HEADER_LEN: usize = 8;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// An IP packet.
pub(crate) struct IpPacket<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The protocol behind the IP header and its extension headers.
    pub(crate) protocol: u8,
    /// What is there of that protocol.
    pub(crate) payload: &'a [u8],
    /// How many of the packet's bytes are not there.
    pub(crate) missing: usize,
    pub(crate) fragment: Fragment,
}

/// Which part of a packet this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    Whole,
    /// The first of several, with the header of what the packet carries.
    First,
    Later,
}

impl Fragment {
    fn new(offset: u16, more: bool) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First,
            _ => Self::Later,
        }
    }
}

impl<'a> IpPacket<'a> {
    /// Takes a packet of which `original_len` bytes were on the wire: the length where the header gives none.
    #[inline]
    pub(crate) fn parse(packet: &'a [u8], original_len: usize) -> Result<Self, DecodeError> {
        match packet.first().map(|byte| byte >> 4) {
            Some(4) => Self::v4(packet, original_len),
            Some(6) => Self::v6(packet, original_len),
            _ => Err(DecodeError::Ip),
        }
    }

    #[inline]
    fn v4(packet: &'a [u8], original_len: usize) -> Result<Self, DecodeError> {
        let (header, _) = packet
            .split_first_chunk::<V4_HEADER_LEN>()
            .ok_or(DecodeError::Ip)?;
        let header_len = usize::from(header[0] & 0xf) * 4;
        if header_len < V4_HEADER_LEN {
            return Err(DecodeError::Ip);
        }
        let promised = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
            total_len if total_len < header_len => original_len,
            total_len => total_len,
        };
        let payload = packet
            .get(header_len..promised.clamp(header_len, packet.len().max(header_len)))
            .ok_or(DecodeError::Ip)?;
        let (protocol, payload) = match header[9] {
            AUTHENTICATION => authenticated(payload)?,
            protocol => (protocol, payload),
        };
        let fragment = u16::from_be_bytes([header[6], header[7]]);
        let &[.., s1, s2, s3, s4, d1, d2, d3, d4] = header;
        Ok(Self {
            source: Ipv4Addr::new(s1, s2, s3, s4).into(),
            destination: Ipv4Addr::new(d1, d2, d3, d4).into(),
            protocol,
            payload,
            missing: promised.saturating_sub(packet.len()),
            fragment: Fragment::new(fragment & V4_OFFSET, fragment & V4_MORE != 0),
        })
    }

    fn v6(packet: &'a [u8], original_len: usize) -> Result<Self, DecodeError> {
        let (header, rest) = packet
            .split_first_chunk::<V6_HEADER_LEN>()
            .ok_or(DecodeError::Ip)?;
        let promised = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
            // A jumbogram, or segmentation offload.
            0 => original_len.saturating_sub(V6_HEADER_LEN),
            payload_len => payload_len,
        };
        let (protocol, payload, fragment) = behind_extensions(header[6], &rest[..rest.len().min(promised)])?;
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&header[at..at + 16]);
            IpAddr::from(Ipv6Addr::from(octets))
        };
        Ok(Self {
            source: address(8),
            destination: address(24),
            protocol,
            payload,
            missing: promised.saturating_sub(rest.len()),
            fragment,
        })
    }
}

/// Walks the extension headers of RFC 8200, section 4, up to another protocol or a part of one.
fn behind_extensions(mut next: u8, mut rest: &[u8]) -> Result<(u8, &[u8], Fragment), DecodeError> {
    let mut first = true;
    loop {
        (next, rest) = match next {
            TCP => return Ok((TCP, rest, Fragment::Whole)),
            HOP_BY_HOP if first => extension(rest)?,
            HOP_BY_HOP => return Err(DecodeError::Ip),
            ROUTING | DESTINATION_OPTIONS => extension(rest)?,
            AUTHENTICATION => authenticated(rest)?,
            FRAGMENT => match fragment(rest)? {
                // A packet may carry the header without being one of several (RFC 6946).
                (next, Fragment::Whole) => skip(rest, next, FRAGMENT_HEADER_LEN)?,
                (next, part) => {
                    return Ok((next, rest.get(FRAGMENT_HEADER_LEN..).unwrap_or_default(), part));
                }
            },
            protocol => return Ok((protocol, rest, Fragment::Whole)),
        };
        first = false;
    }
}

/// What an extension header names as next, and what follows it.
fn extension(header: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    let (&[next, len], _) = header.split_first_chunk().ok_or(DecodeError::Ip)?;
    skip(header, next, (usize::from(len) + 1) * 8)
}

/// As [`extension`]; an authentication header counts its length otherwise (RFC 4302, section 2.2).
fn authenticated(header: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    let (&[next, len], _) = header.split_first_chunk().ok_or(DecodeError::Ip)?;
    if len == 0 {
        return Err(DecodeError::Ip);
    }
    skip(header, next, (usize::from(len) + 2) * 4)
}

/// What a fragment header names as next, and which part this is.
fn fragment(header: &[u8]) -> Result<(u8, Fragment), DecodeError> {
    let (&[next, _, o1, o2], _) = header.split_first_chunk().ok_or(DecodeError::Ip)?;
    let field = u16::from_be_bytes([o1, o2]);
    Ok((next, Fragment::new(field & V6_OFFSET, field & V6_MORE != 0)))
}

fn skip(header: &[u8], next: u8, len: usize) -> Result<(u8, &[u8]), DecodeError> {
    Ok((next, header.get(len..).ok_or(DecodeError::Ip)?))
}
