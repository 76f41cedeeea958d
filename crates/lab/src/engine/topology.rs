//! Which host has which address.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use super::PortId;
use crate::addressing::Addresses;
use crate::scenario::{Balance, Scenario};

/// The hosts and farms of a scenario.
#[derive(Debug)]
pub(super) struct Topology {
    hosts: Vec<(String, Addresses)>,
    farms: Vec<FarmState>,
}

#[derive(Debug)]
struct FarmState {
    name: String,
    addresses: Addresses,
    members: Vec<PortId>,
    balance: Balance,
    next: usize,
}

/// The host that a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) farm: Option<usize>,
    pub(super) host: Option<PortId>,
}

/// What a rule's `to` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Host(PortId),
    Farm(usize),
}

impl Topology {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let hosts = scenario.hosts.iter().enumerate();
        let place = |name: &String| scenario.hosts.iter().position(|host| host.name == *name);
        let farms = scenario.farms.iter().enumerate().map(|(index, farm)| FarmState {
            name: farm.name.clone(),
            addresses: Addresses::of_farm(scenario, index),
            members: farm.members.iter().filter_map(place).collect(),
            balance: farm.balance,
            next: 0,
        });
        Self {
            hosts: hosts
                .map(|(index, host)| (host.name.clone(), Addresses::nth(index)))
                .collect(),
            farms: farms.collect(),
        }
    }

    pub(super) fn name(&self, name: &str) -> Option<Name> {
        let host = self
            .hosts
            .iter()
            .position(|(known, _)| known == name)
            .map(Name::Host);
        host.or_else(|| {
            self.farms
                .iter()
                .position(|farm| farm.name == name)
                .map(Name::Farm)
        })
    }

    pub(super) fn host_of(&self, address: IpAddr) -> Option<PortId> {
        self.hosts
            .iter()
            .position(|(_, addresses)| addresses.contains(address))
    }

    /// The host that an address belongs to, where the connection's member of the farm is known or not.
    pub(super) fn target(&self, address: IpAddr, member: Option<PortId>) -> Option<Target> {
        if let Some(host) = self.host_of(address) {
            return Some(Target {
                farm: None,
                host: Some(host),
            });
        }
        let farm = Some(self.farm_of(address)?);
        Some(Target { farm, host: member })
    }

    /// Picks a member of a farm for a new connection; `None` when the address is no farm's.
    pub(super) fn next_member(&mut self, address: IpAddr, client: SocketAddr) -> Option<PortId> {
        let farm = self.farm_of(address)?;
        let farm = &mut self.farms[farm];
        let turn = match farm.balance {
            Balance::RoundRobin => farm.next,
            Balance::Hash => hash(client),
        };
        farm.next = farm.next.wrapping_add(1);
        Some(farm.members[turn % farm.members.len()])
    }

    /// Where a packet goes. What belongs to no connection goes to the member of a farm that its sender's address picks.
    pub(super) fn route(&self, address: IpAddr, member: Option<PortId>, packet: &[u8]) -> Option<PortId> {
        if let Some(host) = self.host_of(address) {
            return Some(host);
        }
        let farm = &self.farms[self.farm_of(address)?];
        Some(member.unwrap_or_else(|| farm.members[hash(source(packet)) % farm.members.len()]))
    }

    fn farm_of(&self, address: IpAddr) -> Option<usize> {
        self.farms
            .iter()
            .position(|farm| farm.addresses.contains(address))
    }
}

fn hash(value: impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish() as usize
}

/// The address that an IP packet comes from.
pub(super) fn source(packet: &[u8]) -> Option<IpAddr> {
    address(packet, 12, 8)
}

/// The address that an IP packet is for.
pub(super) fn destination(packet: &[u8]) -> Option<IpAddr> {
    address(packet, 16, 24)
}

fn address(packet: &[u8], ipv4_offset: usize, ipv6_offset: usize) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => packet[ipv4_offset.min(packet.len())..]
            .first_chunk::<4>()
            .map(|octets| IpAddr::from(*octets)),
        6 => packet[ipv6_offset.min(packet.len())..]
            .first_chunk::<16>()
            .map(|octets| IpAddr::from(*octets)),
        _ => None,
    }
}
