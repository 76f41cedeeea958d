//! Which addresses the hosts of a lab have. Everything follows from a host's place in the scenario.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::scenario::Scenario;
use crate::sys::packet_socket::Mac;

/// All hosts are on one link.
pub(crate) const IPV4_PREFIX: u8 = 24;
pub(crate) const IPV6_PREFIX: u8 = 64;

/// A host's or farm's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) ipv4: Ipv4Addr,
    pub(crate) ipv6: Ipv6Addr,
}

impl Addresses {
    /// Those of the n-th host or farm, counted from 0.
    pub(crate) fn nth(index: usize) -> Self {
        let number = index as u16 + 1;
        Self {
            ipv4: Ipv4Addr::new(192, 0, 2, number as u8),
            ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number),
        }
    }

    /// Those of the n-th farm, counted from 0. Farms get the addresses behind those of the hosts.
    pub(crate) fn of_farm(scenario: &Scenario, index: usize) -> Self {
        Self::nth(scenario.hosts.len() + index)
    }

    pub(crate) fn like(self, other: IpAddr) -> IpAddr {
        match other {
            IpAddr::V4(_) => self.ipv4.into(),
            IpAddr::V6(_) => self.ipv6.into(),
        }
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        address == self.like(address)
    }
}

/// The hardware address at a host's end of its link.
pub(crate) fn host_mac(index: usize) -> Mac {
    let [high, low] = (index as u16 + 1).to_be_bytes();
    [0x02, 0, 0, 0, high, low]
}

/// The hardware address at the middlebox's end.
pub(crate) fn port_mac(index: usize) -> Mac {
    let [high, low] = (index as u16 + 1).to_be_bytes();
    [0x02, 0, 0, 1, high, low]
}
