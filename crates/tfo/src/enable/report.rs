//! What `tfo enable` and `tfo disable` say, as values. Their JSON form is described by `schemas/enable.json`.

use std::net::SocketAddr;

use fastopen::KeyRing;
use fastopen_attach::Error;
use fastopen_attach::listeners::{Held, Switched};
use fastopen_host::owners::Process;
use fastopen_host::sysctl::FastOpenBits;
use serde::Serialize;

use crate::fingerprint;
use crate::namespace::{self, Namespace};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    Enable,
    Disable,
}

impl Action {
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) action: Action,
    /// Whether what was asked for is the case now.
    pub(super) works: bool,
    /// Each socket that was meant; those of a SO_REUSEPORT group one by one.
    pub(super) listeners: Vec<Socket>,
    /// `net.ipv4.tcp_fastopen` of the namespace; `None` where the kernel has no Fast Open.
    pub(super) sysctl: Option<u32>,
    /// What is missing for Fast Open to work.
    pub(super) missing: Vec<Missing>,
    /// What undoing it takes beside the listeners.
    #[serde(skip)]
    pub(super) netns: Option<String>,
    /// Where other listeners, which were not meant, have Fast Open.
    #[serde(skip)]
    pub(super) beside: Vec<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Missing {
    pub(super) what: String,
    /// The command that adds it.
    pub(super) command: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Socket {
    pub(super) address: SocketAddr,
    pub(super) inode: u64,
    pub(super) processes: Vec<Owner>,
    /// The queue's length before, where it is known.
    pub(super) before: Option<u32>,
    /// The queue's length now, where it is known.
    pub(super) now: Option<u32>,
    /// The length that was asked for, if the kernel took less.
    pub(super) capped_from: Option<u32>,
    /// The fingerprints of the keys of its own before; `None` where it used those of its network namespace, or it is not known.
    pub(super) keys_before: Option<Vec<String>>,
    /// Those of the keys of its own now.
    pub(super) keys_now: Option<Vec<String>>,
    /// Why it could not be switched.
    pub(super) error: Option<String>,
    #[serde(skip)]
    not_permitted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Owner {
    pub(super) pid: u32,
    pub(super) name: String,
}

impl Socket {
    pub(super) fn new(held: &Held, switched: Result<Switched, Error>) -> Self {
        let listener = &held.listener;
        let (before, now) = match &switched {
            Ok(switched) => (Some(switched.before), Some(switched.now)),
            Err(_) => (listener.fast_open_queue, listener.fast_open_queue),
        };
        let capped_from = switched
            .as_ref()
            .ok()
            .map(|switched| switched.asked)
            .filter(|asked| now.is_some_and(|now| now < *asked));
        let fingerprints = |keys: fn(&Switched) -> Option<&KeyRing>| {
            switched.as_ref().ok().and_then(keys).map(fingerprint::of_ring)
        };
        let keys_before = fingerprints(|switched| switched.keys_before.as_ref());
        let keys_now = fingerprints(|switched| switched.keys_now.as_ref());
        let error = switched.err();
        let not_permitted = error.as_ref().is_some_and(Error::is_not_permitted);
        let is_root = rustix::process::geteuid().is_root();
        let error = error.map(|error| match not_permitted && held.owners.is_empty() && is_root {
            true => unseen_by_root(listener.address),
            false => error.to_string(),
        });
        Self {
            address: listener.address,
            inode: listener.inode,
            processes: super::distinct(&held.owners)
                .into_iter()
                .map(Owner::from)
                .collect(),
            before,
            now,
            capped_from,
            keys_before,
            keys_now,
            not_permitted,
            error,
        }
    }
}

/// Where root lacks the capability to look at some processes, "root sees them all" is no help.
fn unseen_by_root(address: SocketAddr) -> String {
    format!(
        "finding the owner of the listener {address}: no process that this one may look at holds it; {}",
        namespace::TRACING
    )
}

impl From<&Process> for Owner {
    fn from(process: &Process) -> Self {
        Self {
            pid: process.pid,
            name: process.name.clone(),
        }
    }
}

impl Report {
    pub(super) fn new(
        action: Action,
        listeners: Vec<Socket>,
        absent: &[String],
        server_bit: Option<(FastOpenBits, bool)>,
        namespace: Option<&Namespace>,
    ) -> Self {
        let mut missing: Vec<Missing> = match (action, server_bit) {
            (Action::Disable, _) | (Action::Enable, Some((_, true))) => Vec::new(),
            (Action::Enable, Some((bits, false))) => vec![Missing::server_bit(bits, namespace)],
            (Action::Enable, None) => vec![Missing::fast_open()],
        };
        missing.extend(absent.iter().map(|named| Missing {
            what: format!("there is no TCP listener {named}"),
            command: None,
        }));
        Self {
            netns: namespace.map(|namespace| match namespace {
                Namespace::Process(pid) => pid.to_string(),
                Namespace::File(path) => path.display().to_string(),
            }),
            action,
            works: missing.is_empty() && listeners.iter().all(|socket| socket.error.is_none()),
            listeners,
            sysctl: server_bit.map(|(bits, _)| bits.bits()),
            missing,
            beside: Vec::new(),
        }
    }

    /// Whether every one was refused because the privilege is missing.
    pub(super) fn none_was_permitted(&self) -> bool {
        self.listeners.iter().all(|socket| socket.not_permitted)
    }

    pub(super) fn first_error(&self) -> Option<&str> {
        self.listeners.iter().find_map(|socket| socket.error.as_deref())
    }
}

impl Missing {
    pub(super) fn fast_open() -> Self {
        Self {
            what: "this kernel has no TCP Fast Open (there is no net.ipv4.tcp_fastopen)".to_owned(),
            command: None,
        }
    }

    pub(super) fn server_bit(bits: FastOpenBits, namespace: Option<&Namespace>) -> Self {
        let wanted = (bits | FastOpenBits::SERVER).bits();
        let inside = namespace.map_or(String::new(), |namespace| match namespace {
            Namespace::Process(pid) => format!("nsenter --net -t {pid} "),
            Namespace::File(path) => format!("nsenter --net={} ", path.display()),
        });
        Self {
            what: format!(
                "net.ipv4.tcp_fastopen is {}: its server bit (2) is off, and the kernel takes no data from a SYN",
                bits.bits()
            ),
            command: Some(format!("sudo {inside}sysctl -w net.ipv4.tcp_fastopen={wanted}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_bit_comes_with_the_command_that_keeps_the_others() {
        let bits = FastOpenBits::from_bits(0x401);
        let command = |namespace| Missing::server_bit(bits, namespace).command.unwrap();
        assert_eq!(command(None), "sudo sysctl -w net.ipv4.tcp_fastopen=1027");
        assert_eq!(
            command(Some(&Namespace::Process(7))),
            "sudo nsenter --net -t 7 sysctl -w net.ipv4.tcp_fastopen=1027"
        );
    }
}
