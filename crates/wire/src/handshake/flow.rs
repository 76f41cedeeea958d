//! The key of a connection: its two ends, whichever sent the packet.

use std::net::{IpAddr, SocketAddr};

/// Two ends, in an order that does not depend on the packet's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    low: u128,
    high: u128,
    ports: u32,
}

impl FlowKey {
    #[inline]
    pub(super) fn new(one: SocketAddr, other: SocketAddr) -> Self {
        let one = (bits(one.ip()), one.port());
        let other = (bits(other.ip()), other.port());
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        Self {
            low: low.0,
            high: high.0,
            ports: u32::from(low.1) << 16 | u32::from(high.1),
        }
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
}
