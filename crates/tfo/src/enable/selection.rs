//! Which listeners are meant.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;

use fastopen_attach::listeners::Held;

use super::cgroup;
use crate::hint;
use crate::listener_address::ListenerAddress;

/// The options that choose listeners. Several choose all that any of them names.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Selection {
    /// Where they listen: 8000, :8000, 192.0.2.2:80 or [2001:db8::2]:80
    #[arg(value_name = "[ADDR]:PORT")]
    places: Vec<ListenerAddress>,
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

    pub(super) fn places(&self) -> &[ListenerAddress] {
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
        let names = self.places.iter().map(|place| format!("at {place}"));
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
            let serves = |place: &ListenerAddress| place.ip.is_some() && place.port == address.port();
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
