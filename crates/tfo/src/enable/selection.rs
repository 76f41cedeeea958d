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
    /// The listeners of this process; may be repeated
    #[arg(long, value_name = "PID", value_parser = crate::values::number::<u32>(1..=i32::MAX as u64))]
    pid: Vec<u32>,
    /// The listeners of this systemd unit, as in nginx.service; may be repeated
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

    /// As it is typed.
    pub(super) fn typed(&self) -> String {
        // Some shells take brackets for a pattern.
        let quoted = |place: &ListenerAddress| match place.to_string() {
            brackets if brackets.contains('[') => format!("'{brackets}'"),
            plain => plain,
        };
        let places = self.places.iter().map(quoted);
        let pids = self.pid.iter().map(|pid| format!("--pid {pid}"));
        let units = self.unit.iter().map(|unit| format!("--unit '{unit}'"));
        let all = self.all.then(|| "--all".to_owned());
        let words: Vec<String> = places.chain(pids).chain(units).chain(all).collect();
        words.join(" ")
    }

    /// Whether none of its options was given.
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.places.is_empty() && self.pid.is_empty() && self.unit.is_empty()
    }

    pub(super) fn includes(&self, held: &Held) -> bool {
        self.all
            || self.places.iter().any(|place| place.is(held.listener.address))
            || self.pid.iter().any(|pid| is_of_process(held, *pid))
            || self.unit.iter().any(|unit| is_of(held, unit))
    }

    /// What was named and none of these listeners is: `at :80`, `of process 4711`.
    pub(super) fn without(&self, chosen: &[&Held]) -> Vec<String> {
        let any = |is: &dyn Fn(&Held) -> bool| chosen.iter().any(|held| is(held));
        let places = self.places.iter();
        let places = places.filter(|place| !any(&|held| place.is(held.listener.address)));
        let places = places.map(|place| format!("at {place}"));
        let pids = self
            .pid
            .iter()
            .filter(|pid| !any(&|held| is_of_process(held, **pid)));
        let pids = pids.map(|pid| format!("of process {pid}"));
        let units = self.unit.iter().filter(|unit| !any(&|held| is_of(held, unit)));
        let units = units.map(|unit| format!("of the unit {unit}"));
        places.chain(pids).chain(units).collect()
    }

    /// The error when there is no such listener: what there is instead.
    pub(super) fn nothing_found(&self, all: &[Held]) -> anyhow::Error {
        let wanted = self.without(&[]);
        let error = match &wanted[..] {
            [] => anyhow::anyhow!("there is no TCP listener here"),
            wanted => anyhow::anyhow!("there is no TCP listener {}", wanted.join(" or ")),
        };
        let hint = match self.unit.is_empty() {
            true => self.what_there_is(all),
            // It is in another control group until the unit's own processes have it.
            false => format!(
                "{}; a socket that systemd holds until the unit starts: name its port",
                self.what_there_is(all)
            ),
        };
        hint::with(error, hint)
    }

    fn what_there_is(&self, all: &[Held]) -> String {
        const SHOWN: usize = 5;
        let addresses: BTreeSet<SocketAddr> = all.iter().map(|held| held.listener.address).collect();
        let wildcard = addresses.iter().find(|address| {
            // One on [::] may take IPv4, too.
            let serves = |place: &ListenerAddress| {
                place.ip.is_some_and(|ip| ip.is_ipv4() || address.is_ipv6()) && place.port == address.port()
            };
            address.ip().is_unspecified() && self.places.iter().any(serves)
        });
        if let Some(wildcard) = wildcard {
            return format!(
                "{wildcard} takes the connections to every address; name it so, or its port alone"
            );
        }
        // Whose network namespace was looked into is known where a process was named.
        let containers = match self.pid.is_empty() {
            true => "others may be in a container: --netns PID or --pid PID",
            false => "the one that listens may be its parent or its child (ss -ltnp)",
        };
        if addresses.is_empty() {
            return format!("start the server first; {containers}");
        }
        let shown: Vec<String> = addresses.iter().take(SHOWN).map(ToString::to_string).collect();
        let more = match addresses.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("there are listeners at {}{more}; {containers}", shown.join(", "))
    }
}

fn is_of_process(held: &Held, pid: u32) -> bool {
    held.owners.iter().any(|owner| owner.pid == pid)
}

/// Whether a process of the unit holds it, by the names of its control group.
fn is_of(held: &Held, unit: &str) -> bool {
    held.owners.iter().any(|owner| {
        fs::read_to_string(format!("/proc/{}/cgroup", owner.pid))
            .is_ok_and(|groups| cgroup::names_unit(&groups, unit))
    })
}
