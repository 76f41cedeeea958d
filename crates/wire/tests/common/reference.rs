//! The decoder as it would be with etherparse, to compare with.

use std::net::SocketAddr;

use etherparse::{LaxIpSlice, TcpHeaderSlice, ip_number};
use fastopen_wire::{DecodeError, Flags, Segment};

pub(crate) fn from_ip(packet: &[u8]) -> Result<Segment<'_>, DecodeError> {
    let (ip, broken_extension) = LaxIpSlice::from_slice(packet).map_err(|_| DecodeError::Ip)?;
    if ip.payload().fragmented && ip.payload().ip_number == ip_number::TCP {
        return Err(DecodeError::Fragment);
    }
    if broken_extension.is_some() {
        return Err(DecodeError::Ip);
    }
    let content = ip.payload();
    if content.ip_number != ip_number::TCP {
        return Err(DecodeError::NotTcp {
            protocol: content.ip_number.0,
        });
    }
    let tcp = TcpHeaderSlice::from_slice(content.payload).map_err(|_| DecodeError::Tcp)?;
    let (header, payload) = content.payload.split_at(tcp.slice().len());
    let promised = match &ip {
        LaxIpSlice::Ipv4(ip) => usize::from(ip.header().total_len()),
        LaxIpSlice::Ipv6(ip) => 40 + usize::from(ip.header().payload_length()),
    };
    Ok(Segment {
        source: SocketAddr::new(ip.source_addr(), tcp.source_port()),
        destination: SocketAddr::new(ip.destination_addr(), tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledgment: tcp.acknowledgment_number(),
        flags: Flags {
            syn: tcp.syn(),
            ack: tcp.ack(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            psh: tcp.psh(),
        },
        window: tcp.window_size(),
        options: &header[20..],
        payload,
        payload_len: payload.len() + promised.saturating_sub(packet.len()),
    })
}
