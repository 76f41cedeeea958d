//! The key of a connection: its two ends, whichever sent the packet.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Two ends, in an order that does not depend on the packet's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowKey {
    // As bytes: numbers of this size would leave gaps in each entry of a table.
    low: [u8; 16],
    high: [u8; 16],
    low_port: u16,
    high_port: u16,
}

impl FlowKey {
    #[inline]
    pub(super) fn new(one: SocketAddr, other: SocketAddr) -> Self {
        let one = (bits(one.ip()), one.port());
        let other = (bits(other.ip()), other.port());
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        Self {
            low: low.0.to_ne_bytes(),
            high: high.0.to_ne_bytes(),
            low_port: low.1,
            high_port: high.1,
        }
    }

    /// Whether that one of the two ends comes first in their order.
    pub(super) fn is_low(&self, end: SocketAddr) -> bool {
        (bits(end.ip()).to_ne_bytes(), end.port()) == (self.low, self.low_port)
    }

    /// The two ends, in their order.
    pub(super) fn ends(&self, are_ipv6: bool) -> (SocketAddr, SocketAddr) {
        let address = |bytes| {
            let bits = u128::from_ne_bytes(bytes);
            match are_ipv6 {
                true => IpAddr::from(Ipv6Addr::from_bits(bits)),
                false => IpAddr::from(Ipv4Addr::from_bits(bits as u32)),
            }
        };
        (
            SocketAddr::new(address(self.low), self.low_port),
            SocketAddr::new(address(self.high), self.high_port),
        )
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.low));
        state.write_u128(u128::from_ne_bytes(self.high));
        state.write_u32(u32::from(self.low_port) << 16 | u32::from(self.high_port));
    }
}

#[inline]
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key() {
        let [a, b, c] =
            ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.1:2"].map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(FlowKey::new(a, b), FlowKey::new(b, a));
        assert_eq!(FlowKey::new(a, c), FlowKey::new(c, a));
        assert_ne!(FlowKey::new(a, b), FlowKey::new(a, c));
        assert_ne!(FlowKey::new(a, b), FlowKey::new(c, b));
    }

    #[test]
    fn a_key_gives_back_its_ends() {
        for (one, other) in [
            ("192.0.2.1:1", "192.0.2.2:1"),
            ("192.0.2.1:2", "192.0.2.1:1"),
            ("[2001:db8::1]:1", "[::7]:9"),
        ] {
            let [one, other] = [one, other].map(|text| text.parse::<SocketAddr>().unwrap());
            let key = FlowKey::new(one, other);
            let (low, high) = key.ends(one.is_ipv6());
            let expected = if key.is_low(one) {
                (one, other)
            } else {
                (other, one)
            };
            assert_eq!((low, high), expected);
            assert_ne!(key.is_low(one), key.is_low(other));
        }
    }
}
