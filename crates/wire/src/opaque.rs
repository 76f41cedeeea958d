//! Tunnels whose packets do not show what they carry.

use crate::inner_packet::{L2TP_PORT, UDP};
use crate::ip::{Fragment, IpPacket};
use crate::tunnel::Tunnel;

const ESP: u8 = 50;
const L2TP_VERSION_3: u8 = 115;
/// IKE's port behind a NAT, which ESP shares (RFC 3948).
const IPSEC_NAT_PORT: u16 = 4500;
/// A NAT keeps a client's port among those that are not privileged.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// The tunnel that carries this packet, unless the packet only controls it.
pub(crate) fn opaque(ip: &IpPacket<'_>) -> Option<Tunnel> {
    if ip.fragment == Fragment::Later {
        return None;
    }
    match ip.protocol {
        ESP => Some(Tunnel::Esp),
        // Session 0 is the control connection (RFC 3931, section 4.1.1.2).
        L2TP_VERSION_3 => (*ip.payload.first_chunk()? != [0; 4]).then_some(Tunnel::L2tp),
        UDP => in_udp(ip.payload),
        _ => None,
    }
}

fn in_udp(datagram: &[u8]) -> Option<Tunnel> {
    let (&[s1, s2, d1, d2, ..], payload) = datagram.split_first_chunk::<8>()?;
    let ports = [u16::from_be_bytes([s1, s2]), u16::from_be_bytes([d1, d2])];
    // A resolver may ask port 53 from either of these ports.
    if ports.iter().any(|port| *port < FIRST_UNPRIVILEGED) {
        return None;
    }
    let (start, _) = payload.split_first_chunk::<8>()?;
    if ports.contains(&IPSEC_NAT_PORT) {
        // Four zeros stand before IKE; a keepalive is one byte.
        return (start[..4] != [0; 4]).then_some(Tunnel::Esp);
    }
    // Version 3 without the bit of a control message (RFC 3931, section 4.1.2.1).
    (ports.contains(&L2TP_PORT) && start[..4] == [0, 3, 0, 0]).then_some(Tunnel::L2tp)
}
