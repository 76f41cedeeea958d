//! What a frame says of TCP, through whatever tunnels it travels.

use crate::error::DecodeError;
use crate::icmp::IcmpError;
use crate::inner_packet::inner_packet;
use crate::ip::{IpPacket, TCP};
use crate::link_type::LinkType;
use crate::opaque::opaque;
use crate::segment::Segment;
use crate::tunnel::Tunnel;

/// What a frame says of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The innermost packet's content.
    pub content: Content<'a>,
    /// The outermost tunnel that it came through, if any.
    pub tunnel: Option<Tunnel>,
}

/// A segment, or what became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// An ICMP error that quotes a TCP segment.
    IcmpError(IcmpError),
}

impl<'a> Decoded<'a> {
    /// How many tunnels within each other are looked into.
    pub const MAX_TUNNELS: usize = 8;

    /// Takes a frame as a capture holds it, as [`Segment::from_frame`] does, and looks into [tunnels](Tunnel).
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the start of a TCP segment and an ICMP error that quotes one.
    #[inline]
    pub fn from_frame(link: LinkType, frame: &'a [u8], original_len: usize) -> Result<Self, DecodeError> {
        let packet = link.ip_packet(frame)?;
        let header_len = frame.len() - packet.len();
        let ip = IpPacket::parse(packet, original_len.saturating_sub(header_len))?;
        match ip.protocol {
            TCP => Ok(Self {
                content: Content::Segment(Segment::in_packet(&ip)?),
                tunnel: None,
            }),
            _ => Self::of_another_protocol(ip),
        }
    }

    #[cold]
    fn of_another_protocol(mut ip: IpPacket<'a>) -> Result<Self, DecodeError> {
        let mut outermost = None;
        for _ in 0..=Self::MAX_TUNNELS {
            if ip.protocol == TCP {
                return Ok(Self {
                    content: Content::Segment(Segment::in_packet(&ip)?),
                    tunnel: outermost,
                });
            }
            if let Some(error) = IcmpError::in_packet(&ip) {
                return Ok(Self {
                    content: Content::IcmpError(error),
                    tunnel: outermost,
                });
            }
            let Some((tunnel, packet)) = inner_packet(&ip) else {
                let protocol = ip.protocol;
                return Err(opaque(&ip).map_or(DecodeError::NotTcp { protocol }, DecodeError::Opaque));
            };
            outermost = outermost.or(Some(tunnel));
            let packet = packet?;
            ip = IpPacket::parse(packet, packet.len() + ip.missing)?;
        }
        Err(outermost.map_or(DecodeError::Ip, DecodeError::TooDeep))
    }
}
