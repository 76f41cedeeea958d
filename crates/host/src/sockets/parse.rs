//! `struct inet_diag_msg` and the attributes behind it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::message::{Family, INFO};
use super::{Socket, State};
use crate::netlink::attributes;

/// `INET_DIAG_SKV6ONLY`.
const V6_ONLY: u16 = 11;
/// The length of `struct inet_diag_msg`.
const HEADER_LEN: usize = 72;

/// Takes one message.
pub(super) fn socket(message: &[u8]) -> Result<Socket, String> {
    let Some((header, rest)) = message.split_first_chunk::<HEADER_LEN>() else {
        return Err(format!(
            "a socket's description has {} bytes where {HEADER_LEN} belong",
            message.len()
        ));
    };
    // The number of the interface that the socket is bound to, which is also the zone of a link-local address.
    let interface = word(header, 40);
    let mut socket = Socket {
        state: State::from_number(header[1]),
        local: address(header, 8, port(header, 4), interface)?,
        remote: address(header, 24, port(header, 6), interface)?,
        receive_queue: word(header, 56),
        send_queue: word(header, 60),
        uid: word(header, 64),
        inode: word(header, 68).into(),
        v6_only: None,
        tcp_info: None,
    };
    for attribute in attributes(rest) {
        let attribute = attribute?;
        match attribute.kind {
            INFO => socket.tcp_info = Some(attribute.value.to_vec()),
            V6_ONLY => socket.v6_only = Some(attribute.array()? != [0]),
            _ => {}
        }
    }
    Ok(socket)
}

fn word(header: &[u8; HEADER_LEN], at: usize) -> u32 {
    u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

fn port(header: &[u8; HEADER_LEN], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

fn address(header: &[u8; HEADER_LEN], at: usize, port: u16, interface: u32) -> Result<SocketAddr, String> {
    const IPV4: u8 = Family::Ipv4 as u8;
    const IPV6: u8 = Family::Ipv6 as u8;

    let mut octets = [0; 16];
    octets.copy_from_slice(&header[at..at + 16]);
    match header[0] {
        IPV4 => {
            let ip = Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]);
            Ok(SocketAddr::new(IpAddr::V4(ip), port))
        }
        IPV6 => {
            let ip = Ipv6Addr::from(octets);
            let zone = if ip.is_unicast_link_local() { interface } else { 0 };
            Ok(SocketAddrV6::new(ip, port, 0, zone).into())
        }
        family => Err(format!("a socket is of address family {family}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::encode;

    fn message(family: u8, state: u8, local: &[u8], interface: u32) -> Vec<u8> {
        let mut message = vec![0; HEADER_LEN];
        (message[0], message[1]) = (family, state);
        message[4..8].copy_from_slice(&[0x1f, 0x90, 0xa1, 0xa4]);
        message[8..8 + local.len()].copy_from_slice(local);
        message[40..44].copy_from_slice(&interface.to_ne_bytes());
        for (at, value) in [(56, 1_u32), (60, 16), (64, 33), (68, 4711)] {
            message[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        message
    }

    #[test]
    fn a_connection_is_read() {
        let mut bytes = message(2, 3, &[127, 0, 0, 1], 0);
        encode(&mut bytes, [(INFO, &[3, 0, 0, 9]), (99, &[1])]);
        assert_eq!(
            socket(&bytes).unwrap(),
            Socket {
                state: State::SynRecv,
                local: "127.0.0.1:8080".parse().unwrap(),
                remote: "0.0.0.0:41380".parse().unwrap(),
                uid: 33,
                inode: 4711,
                receive_queue: 1,
                send_queue: 16,
                v6_only: None,
                tcp_info: Some(vec![3, 0, 0, 9]),
            }
        );
    }

    #[test]
    fn link_local_addresses_have_the_interface_as_their_zone() {
        let link_local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let mut bytes = message(10, 10, &link_local, 4);
        encode(&mut bytes, [(V6_ONLY, &[1])]);
        let socket = socket(&bytes).unwrap();
        assert_eq!(socket.local.to_string(), "[fe80::1%4]:8080");
        assert_eq!(socket.remote.to_string(), "[::]:41380");
        assert_eq!((socket.state, socket.v6_only), (State::Listen, Some(true)));
    }

    #[test]
    fn every_cut_is_taken_or_refused() {
        let mut whole = message(2, 1, &[10, 0, 0, 1], 0);
        encode(&mut whole, [(INFO, &[7; 280])]);
        for cut in 0..whole.len() {
            let read = socket(&whole[..cut]);
            assert_eq!(read.is_ok(), cut == HEADER_LEN, "cut at {cut}: {read:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(socket(&message(1, 1, &[], 0)).is_err());
        let mut bytes = message(10, 1, &[], 0);
        encode(&mut bytes, [(V6_ONLY, &[1, 0])]);
        assert!(socket(&bytes).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = socket(&bytes);
        }
    }
}
