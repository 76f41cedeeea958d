//! A scenario that runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use crate::addressing::Addresses;
use crate::capture::Capture;
use crate::engine::{Counters, Engine};
use crate::error::Error;
use crate::host::Host;
use crate::middlebox::{Middlebox, Port};
use crate::network;
use crate::scenario::{Rule, Scenario, ScenarioError};

/// A network that does what a [`Scenario`] says. Dropping it takes the link away from under its hosts.
#[derive(Debug)]
pub struct Lab {
    scenario: Scenario,
    hosts: Vec<Host>,
    middlebox: Middlebox,
}

impl Lab {
    /// Builds the network and starts the middlebox.
    ///
    /// # Errors
    /// [`Error::Scenario`] for one that can't be; [`Error::System`] when the kernel denies a part of it, which it does to a process
    /// that hasn't called [`enter`](crate::enter()); [`Error::Sysctl`] for a setting that it doesn't take.
    pub fn new(scenario: &Scenario) -> Result<Self, Error> {
        scenario.check()?;
        let middlebox = network::make_middlebox()?;
        let mut hosts = Vec::with_capacity(scenario.hosts.len());
        let mut ports = Vec::with_capacity(scenario.hosts.len());
        for (index, spec) in scenario.hosts.iter().enumerate() {
            let shared = farm_addresses_of(scenario, &spec.name);
            let (namespace, socket) = network::make_host(&middlebox, index, spec, &shared)?;
            ports.push(Port::new(&spec.name, index, socket));
            let host = Host::new(spec.name.clone(), spec.raw, Addresses::nth(index), namespace);
            configure(&host, scenario, index)?;
            hosts.push(host);
        }
        let middlebox = Middlebox::start(middlebox, ports, Engine::new(scenario))?;
        Ok(Self {
            scenario: scenario.clone(),
            hosts,
            middlebox,
        })
    }

    /// The scenario that it was built from, with the rules it was built with.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// All hosts, in the order of their addresses.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host of that name.
    ///
    /// # Errors
    /// [`Error::UnknownHost`] when there is none.
    pub fn host(&self, name: &str) -> Result<&Host, Error> {
        self.hosts
            .iter()
            .find(|host| host.name() == name)
            .ok_or_else(|| Error::UnknownHost {
                name: name.to_owned(),
                known: self.hosts.iter().map(|host| host.name().to_owned()).collect(),
            })
    }

    /// The host called `client`.
    ///
    /// # Errors
    /// [`Error::UnknownHost`] when the scenario has none.
    pub fn client(&self) -> Result<&Host, Error> {
        self.host("client")
    }

    /// The host called `server`.
    ///
    /// # Errors
    /// [`Error::UnknownHost`] when the scenario has none.
    pub fn server(&self) -> Result<&Host, Error> {
        self.host("server")
    }

    /// The addresses of the farm of that name.
    ///
    /// # Errors
    /// [`Error::UnknownHost`] when there is none.
    pub fn farm(&self, name: &str) -> Result<FarmAddress, Error> {
        let farms = &self.scenario.farms;
        let index = farms.iter().position(|farm| farm.name == name);
        let index = index.ok_or_else(|| Error::UnknownHost {
            name: name.to_owned(),
            known: farms.iter().map(|farm| farm.name.clone()).collect(),
        })?;
        Ok(FarmAddress(Addresses::of_farm(&self.scenario, index)))
    }

    /// Whether the kernel has IPv6; without it hosts have only their IPv4 address.
    pub fn has_ipv6(&self) -> bool {
        network::has_ipv6()
    }

    /// When it began: what [`Frame::at`](crate::Frame::at) counts from.
    pub fn started(&self) -> Instant {
        self.middlebox.started()
    }

    /// Puts other rules in the place of the middlebox's, which count and choose from the start again. What the old rules did to
    /// connections goes on: what is held back stays so, addresses stay rebound, spliced connections spliced.
    ///
    /// # Errors
    /// [`ScenarioError::UnknownHost`] when one names a host that isn't there.
    pub fn set_rules(&self, rules: impl IntoIterator<Item = Rule>) -> Result<(), ScenarioError> {
        let rules: Vec<Rule> = rules.into_iter().collect();
        self.scenario.check_rules(&rules)?;
        self.middlebox
            .with_engine(|engine, _| engine.set_rules(&self.scenario, &rules));
        Ok(())
    }

    /// Delivers at once what is held back, and holds nothing more of those connections. Says how many packets there were.
    pub fn release(&self) -> usize {
        self.middlebox.with_engine(Engine::release)
    }

    /// Delivers an IP packet to the host that it is addressed to, at once and past all rules: a captured SYN for instance.
    ///
    /// # Errors
    /// [`Error::NoSuchDestination`] for anything else than a packet for an address of the lab.
    pub fn inject(&self, packet: impl Into<Vec<u8>>) -> Result<(), Error> {
        let packet = packet.into();
        if self
            .middlebox
            .with_engine(|engine, now| engine.inject(now, packet))
        {
            return Ok(());
        }
        Err(Error::NoSuchDestination)
    }

    /// Begins to keep what the middlebox sees, until the capture is dropped.
    pub fn capture(&self) -> Capture {
        Capture::new(self.middlebox.tap())
    }

    /// What became of all packets so far.
    pub fn counters(&self) -> Counters {
        self.middlebox.counters()
    }
}

/// The addresses that the members of a [`Farm`](crate::Farm) share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarmAddress(Addresses);

impl FarmAddress {
    /// The IPv4 address.
    pub fn ipv4(self) -> Ipv4Addr {
        self.0.ipv4
    }

    /// The IPv6 address.
    pub fn ipv6(self) -> Ipv6Addr {
        self.0.ipv6
    }

    /// The IPv4 and the IPv6 address, for tests that do the same over both.
    pub fn addresses(self) -> [IpAddr; 2] {
        [self.0.ipv4.into(), self.0.ipv6.into()]
    }
}

fn farm_addresses_of(scenario: &Scenario, member: &str) -> Vec<Addresses> {
    let farms = scenario.farms.iter().enumerate();
    farms
        .filter(|(_, farm)| farm.members.iter().any(|name| name == member))
        .map(|(index, _)| Addresses::of_farm(scenario, index))
        .collect()
}

const FAST_OPEN: &str = "net.ipv4.tcp_fastopen";

fn configure(host: &Host, scenario: &Scenario, index: usize) -> Result<(), Error> {
    let sysctls = &scenario.hosts[index].sysctls;
    if !sysctls.contains_key(FAST_OPEN) {
        let client_only = host.name() == "client";
        host.set_sysctl(FAST_OPEN, if client_only { "1" } else { "3" })?;
    }
    sysctls
        .iter()
        .try_for_each(|(name, value)| host.set_sysctl(name, value))
}
