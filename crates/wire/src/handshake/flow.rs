//! The key of a connection: its two ends, whichever sent the packet.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

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
}
