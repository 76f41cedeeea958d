//! Which listeners are meant.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use fastopen_attach::listeners::Held;

use super::cgroup;
use crate::hint;

/// The options that choose listeners. Several choose all that any of them names.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Selection {
    /// Where they listen: 8000, :8000, 192.0.2.2:80 or [2001:db8::2]:80
    #[arg(value_name = "[ADDR]:PORT")]
    places: Vec<Place>,
    /// The listeners of this process
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// The listeners of this systemd unit, as in nginx.service
    #[arg(long, value_name = "UNIT")]
    unit: Vec<String>,
    /// Every listener
    #[arg(long)]
    all: bool,
}

impl Selection {
    /// The processes that were named.
    pub(super) fn processes(&self) -> &[u32] {
        &self.pid
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn units(&self) -> &[String] {
        &self.unit
    }

    pub(super) fn is_all(&self) -> bool {
        self.all
    }

    /// Whether none of its options was given.
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.places.is_empty() && self.pid.is_empty() && self.unit.is_empty()
    }

    pub(super) fn includes(&self, held: &Held) -> bool {
        let owner_is = |pid: &u32| held.owners.iter().any(|owner| owner.pid == *pid);
        self.all
            || self.places.iter().any(|place| place.is(held.listener.address))
            || self.pid.iter().any(owner_is)
            || self.unit.iter().any(|unit| is_of(held, unit))
    }

    /// The error when there is no such listener: what there is instead.
    pub(super) fn nothing_found(&self, all: &[Held]) -> anyhow::Error {
        let names = self.places.iter().map(|place| format!("at {}", place.text));
        let names = names.chain(self.pid.iter().map(|pid| format!("of process {pid}")));
        let names = names.chain(self.unit.iter().map(|unit| format!("of the unit {unit}")));
        let wanted: Vec<String> = names.collect();
        let error = match &wanted[..] {
            [] => anyhow::anyhow!("there is no TCP listener here"),
            wanted => anyhow::anyhow!("there is no TCP listener {}", wanted.join(" or ")),
        };
        hint::with(error, self.what_there_is(all))
    }

    fn what_there_is(&self, all: &[Held]) -> String {
        const SHOWN: usize = 5;
        let addresses: BTreeSet<SocketAddr> = all.iter().map(|held| held.listener.address).collect();
        let wildcard = addresses.iter().find(|address| {
            let serves = |place: &Place| place.ip.is_some() && place.port == address.port();
            address.ip().is_unspecified() && self.places.iter().any(serves)
        });
        if let Some(wildcard) = wildcard {
            return format!(
                "{wildcard} takes the connections to every address; name it so, or its port alone"
            );
        }
        if addresses.is_empty() {
            return "start the server first; for one in a container: --netns PID or --pid PID".to_owned();
        }
        let shown: Vec<String> = addresses.iter().take(SHOWN).map(ToString::to_string).collect();
        let more = match addresses.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "there are listeners at {}{more}; others may be in a container: --netns PID or --pid PID",
            shown.join(", ")
        )
    }
}

/// Whether a process of the unit holds it, by the names of its control group.
fn is_of(held: &Held, unit: &str) -> bool {
    held.owners.iter().any(|owner| {
        fs::read_to_string(format!("/proc/{}/cgroup", owner.pid))
            .is_ok_and(|groups| cgroup::names_unit(&groups, unit))
    })
}

/// A port, and the address where one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    text: String,
    pub(super) ip: Option<IpAddr>,
    pub(super) port: u16,
}

impl Place {
    fn is(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.port == address.port() && self.ip.is_none_or(|wanted| wanted.to_canonical() == ip)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(':').unwrap_or(text);
        let (ip, port) = if let Ok(address) = text.parse::<SocketAddr>() {
            (Some(address.ip()), address.port())
        } else if let Ok(port) = digits.parse() {
            (None, port)
        } else {
            return Err(
                "a listener is named by its port, or by its IP address and port: 8000, :8000, 192.0.2.2:80, [2001:db8::2]:80",
            );
        };
        if port == 0 {
            return Err("no listener has port 0");
        }
        Ok(Self {
            text: text.to_owned(),
            ip,
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(place: &str, address: &str) -> bool {
        place.parse::<Place>().unwrap().is(address.parse().unwrap())
    }

    #[test]
    fn a_port_is_every_address_and_an_address_itself() {
        for place in ["80", ":80"] {
            for address in ["0.0.0.0:80", "[::]:80", "192.0.2.2:80"] {
                assert!(is(place, address), "{place} {address}");
            }
            assert!(!is(place, "0.0.0.0:8080"));
        }
        assert!(is("192.0.2.2:80", "[::ffff:192.0.2.2]:80"));
        assert!(!is("192.0.2.2:80", "0.0.0.0:80"));
        assert!(is("[::]:80", "[::]:80"));
    }

    #[test]
    fn what_names_no_listener_is_refused() {
        for text in [
            "",
            ":",
            "http",
            "host:80",
            ":0",
            "65536",
            "192.0.2.2",
            "::1",
            "[::1]",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
