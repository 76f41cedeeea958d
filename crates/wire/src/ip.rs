//! From an IP packet to the TCP segment in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::DecodeError;

const V4_HEADER_LEN: usize = 20;
const V6_HEADER_LEN: usize = 40;
/// More fragments to come, or an offset other than 0.
const V4_FRAGMENT: u16 = 0x3fff;
const V6_FRAGMENT: u16 = 0xfff9;

const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// An IP packet that carries TCP.
pub(crate) struct IpPacket<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// What is there of the TCP segment.
    pub(crate) payload: &'a [u8],
    /// How many of the packet's bytes are not there.
    pub(crate) missing: usize,
}

impl<'a> IpPacket<'a> {
    /// Takes a packet of which `original_len` bytes were on the wire: the length where the header gives none.
    #[inline]
    pub(crate) fn with_tcp(packet: &'a [u8], original_len: usize) -> Result<Self, DecodeError> {
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
        if protocol != TCP {
            return Err(DecodeError::NotTcp { protocol });
        }
        if u16::from_be_bytes([header[6], header[7]]) & V4_FRAGMENT != 0 {
            return Err(DecodeError::Fragment);
        }
        let &[.., s1, s2, s3, s4, d1, d2, d3, d4] = header;
        Ok(Self {
            source: Ipv4Addr::new(s1, s2, s3, s4).into(),
            destination: Ipv4Addr::new(d1, d2, d3, d4).into(),
            payload,
            missing: promised.saturating_sub(packet.len()),
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
        let payload = behind_extensions(header[6], &rest[..rest.len().min(promised)])?;
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&header[at..at + 16]);
            IpAddr::from(Ipv6Addr::from(octets))
        };
        Ok(Self {
            source: address(8),
            destination: address(24),
            payload,
            missing: promised.saturating_sub(rest.len()),
        })
    }
}

/// Walks the extension headers of RFC 8200, section 4, up to a TCP segment.
fn behind_extensions(mut next: u8, mut rest: &[u8]) -> Result<&[u8], DecodeError> {
    let mut first = true;
    loop {
        (next, rest) = match next {
            TCP => return Ok(rest),
            HOP_BY_HOP if first => extension(rest)?,
            HOP_BY_HOP => return Err(DecodeError::Ip),
            ROUTING | DESTINATION_OPTIONS => extension(rest)?,
            AUTHENTICATION => authenticated(rest)?,
            FRAGMENT => whole(rest)?,
            protocol => return Err(DecodeError::NotTcp { protocol }),
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

/// As [`extension`]; a packet may carry a fragment header without being one of several (RFC 6946).
fn whole(header: &[u8]) -> Result<(u8, &[u8]), DecodeError> {
    let (&[next, _, o1, o2], _) = header.split_first_chunk().ok_or(DecodeError::Ip)?;
    match (u16::from_be_bytes([o1, o2]) & V6_FRAGMENT, next) {
        (0, _) => skip(header, next, 8),
        (_, TCP) => Err(DecodeError::Fragment),
        (_, protocol) => Err(DecodeError::NotTcp { protocol }),
    }
}

fn skip(header: &[u8], next: u8, len: usize) -> Result<(u8, &[u8]), DecodeError> {
    Ok((next, header.get(len..).ok_or(DecodeError::Ip)?))
}
