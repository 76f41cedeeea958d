//! The address that a program gives to connect(2), as bytes of its memory: pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// As long as the kernel takes one (`struct sockaddr_storage`).
pub(crate) const MAX_LEN: usize = 128;

const IPV4_LEN: usize = 16;
const IPV6_LEN: usize = 28;
/// `SIN6_LEN_RFC2133`: without the zone, which the kernel takes too.
const SHORT_IPV6_LEN: usize = 24;

/// What it asks connect(2) for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// A connection to there.
    Internet(SocketAddr),
    /// The end of the association that there is (`AF_UNSPEC`).
    None,
    /// Something else, or what the kernel refuses.
    Other,
}

/// Takes the bytes that connect(2) was given.
pub(crate) fn parse(bytes: &[u8]) -> Address {
    let Some(family) = bytes.first_chunk().map(|family| u16::from_ne_bytes(*family)) else {
        return Address::Other;
    };
    match (i32::from(family), bytes.len()) {
        (libc::AF_UNSPEC, _) => Address::None,
        (libc::AF_INET, IPV4_LEN..) => {
            let ip = Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]);
            Address::Internet(SocketAddr::new(ip.into(), port(bytes)))
        }
        (libc::AF_INET6, SHORT_IPV6_LEN..) => {
            let mut octets = [0; 16];
            octets.copy_from_slice(&bytes[8..24]);
            let zone = bytes
                .get(24..28)
                .map_or(0, |zone| u32::from_ne_bytes([zone[0], zone[1], zone[2], zone[3]]));
            Address::Internet(SocketAddrV6::new(Ipv6Addr::from(octets), port(bytes), 0, zone).into())
        }
        _ => Address::Other,
    }
}

fn port(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[2], bytes[3]])
}

/// The address as getpeername(2) gives it.
pub(crate) fn encode(address: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(IPV6_LEN);
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    bytes.extend((family as u16).to_ne_bytes());
    bytes.extend(address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            bytes.extend(address.ip().octets());
            bytes.resize(IPV4_LEN, 0);
        }
        SocketAddr::V6(address) => {
            bytes.extend(0_u32.to_ne_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
    }
    bytes
}

/// The address as rules and memories know it: an IPv4-mapped one is the IPv4 one.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        for text in [
            "192.0.2.1:80",
            "[2001:db8::1]:443",
            "[fe80::1%3]:53",
            "[::ffff:192.0.2.1]:80",
        ] {
            let address: SocketAddr = text.parse().unwrap();
            let bytes = encode(address);
            assert_eq!(parse(&bytes), Address::Internet(address), "{text}");
            let mut longer = bytes.clone();
            longer.resize(128, 0xff);
            assert_eq!(parse(&longer), Address::Internet(address), "{text}");
            for cut in 2..bytes.len() {
                let whole = address.is_ipv6() && cut >= SHORT_IPV6_LEN;
                assert_eq!(
                    parse(&bytes[..cut]) != Address::Other,
                    whole,
                    "{text} cut at {cut}"
                );
            }
        }
        assert_eq!(parse(&[0, 0]), Address::None);
        assert_eq!(parse(&[1, 0, b'/', b'x']), Address::Other);
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_one() {
        let mapped = "[::ffff:192.0.2.1]:80".parse().unwrap();
        assert_eq!(canonical(mapped), "192.0.2.1:80".parse().unwrap());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..140)) {
            if let Address::Internet(address) = parse(&bytes) {
                let encoded = encode(address);
                prop_assert_eq!(parse(&encoded), Address::Internet(address));
            }
        }
    }
}
