//! A network and what its middlebox does, as a value.

mod action;
mod duration;
mod file;
mod hex;
mod named;
mod rule;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use action::{Action, Forgery, Hold, Moment, Rebind, Replay};
pub use file::ScenarioError;
pub use rule::{OptionState, Pick, Rule, SegmentKind};

/// The hosts of a lab, how far they are from each other, and what the middlebox between them does.
///
/// ```
/// use std::time::Duration;
/// use fastopen_lab::{Rule, Scenario, SegmentKind};
///
/// let scenario = Scenario::new("stripped-on-the-way-back")
///     .with_rtt(Duration::from_millis(60))
///     .with_rule(Rule::strip_option().from("server").on(SegmentKind::SynAck));
///
/// // A scenario is a TOML file as well.
/// assert_eq!(scenario.to_toml().parse(), Ok(scenario));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// A short name, such as `option-stripped`.
    pub name: String,
    /// What happens in it, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The time that a packet takes from any host to any other and back; half of it each way. 20 ms unless it says otherwise.
    #[serde(default = "default_rtt", with = "duration")]
    pub rtt: Duration,
    /// What [`Pick::Probability`] starts from: the same seed makes the same choices.
    #[serde(default)]
    pub seed: u64,
    /// The hosts, in the order of their addresses; `client` and `server` unless it says otherwise.
    #[serde(default = "default_hosts")]
    pub hosts: Vec<HostSpec>,
    /// Addresses that several hosts serve together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub farms: Vec<Farm>,
    /// What the middlebox does, in this order, to each packet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl Scenario {
    /// A client and a server, 20 ms apart, and a middlebox that leaves everything alone.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: String::new(),
            rtt: default_rtt(),
            seed: 0,
            hosts: default_hosts(),
            farms: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// Says what happens in it, in a sentence.
    pub fn with_about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Sets the round-trip time between any two hosts.
    pub fn with_rtt(mut self, rtt: Duration) -> Self {
        self.rtt = rtt;
        self
    }

    /// Sets the seed of the random choices.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds a host, or replaces the one of that name; new ones get the next addresses.
    pub fn with_host(mut self, host: HostSpec) -> Self {
        match self.hosts.iter_mut().find(|known| known.name == host.name) {
            Some(known) => *known = host,
            None => self.hosts.push(host),
        }
        self
    }

    /// Adds an address that several hosts serve together.
    pub fn with_farm(mut self, farm: Farm) -> Self {
        self.farms.push(farm);
        self
    }

    /// Adds a rule behind those that are there.
    pub fn with_rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Whether its rules let some connections complete: none drops every packet of a host, or all that follows a handshake.
    ///
    /// ```
    /// use fastopen_lab::{Rule, Scenario};
    ///
    /// assert!(Scenario::named("reset").unwrap().lets_connections_complete());
    /// assert!(!Scenario::new("down").with_rule(Rule::drop().to("server")).lets_connections_complete());
    /// ```
    pub fn lets_connections_complete(&self) -> bool {
        !self.rules.iter().any(Rule::cuts_off)
    }
}

/// One host of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostSpec {
    /// What it is called.
    pub name: String,
    /// Whether its addresses stay unknown to its kernel, so that a [`RawPeer`](crate::RawPeer) can speak for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw: bool,
    /// The largest IP packet that it sends and takes, in bytes; 1500 unless it says otherwise. Below 1280 it has no IPv6.
    #[serde(default = "default_mtu", skip_serializing_if = "is_default_mtu")]
    pub mtu: u32,
    /// Its settings, such as `net.ipv4.tcp_fastopen = "3"`.
    ///
    /// `net.ipv4.tcp_fastopen` is 1 for the host called `client` and 3 for any other unless it stands here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
}

impl HostSpec {
    /// A host with a kernel's ordinary settings.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            raw: false,
            mtu: default_mtu(),
            sysctls: BTreeMap::new(),
        }
    }

    /// A host whose addresses a [`RawPeer`](crate::RawPeer) speaks for, not its kernel.
    pub fn raw(name: impl Into<String>) -> Self {
        Self {
            raw: true,
            ..Self::new(name)
        }
    }

    /// Sets the largest IP packet that it sends, in bytes.
    pub fn with_mtu(mut self, mtu: u32) -> Self {
        self.mtu = mtu;
        self
    }

    /// Adds a setting.
    pub fn with_sysctl(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.sysctls.insert(name.into(), value.into());
        self
    }
}

/// One address that several hosts serve; the middlebox picks one of them for each connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Farm {
    /// What it is called; no host has the same name.
    pub name: String,
    /// The hosts that serve it.
    pub members: Vec<String>,
    /// How one of them is picked.
    #[serde(default)]
    pub balance: Balance,
}

impl Farm {
    /// A farm that gives connections to its members in turn.
    pub fn new(name: impl Into<String>, members: impl IntoIterator<Item: Into<String>>) -> Self {
        Self {
            name: name.into(),
            members: members.into_iter().map(Into::into).collect(),
            balance: Balance::RoundRobin,
        }
    }

    /// Sets how a member is picked.
    pub fn with_balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }
}

/// How a farm picks the member for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Each connection goes to the next member.
    #[default]
    RoundRobin,
    /// The client's address and port decide.
    Hash,
}

fn default_rtt() -> Duration {
    Duration::from_millis(20)
}

fn default_hosts() -> Vec<HostSpec> {
    vec![HostSpec::new("client"), HostSpec::new("server")]
}

fn default_mtu() -> u32 {
    1500
}

fn is_default_mtu(mtu: &u32) -> bool {
    *mtu == default_mtu()
}
