//! Everything that doctor reads from this machine.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fastopen_host::cookies::{self, Entry};
use fastopen_host::counters::{Counter, Counters};
use fastopen_host::listeners::{self, Listener};
use fastopen_host::owners::{Owners, Process};
use fastopen_host::sockets::{self, Filter, State};
use fastopen_host::sysctl::{self, FastOpenBits, KeyState, SynCookies};
use fastopen_host::{Error, KernelVersion};

use super::place::{Place, Signs};

/// A fact, or why it is not known.
pub(super) type Known<T> = Result<T, String>;

/// Everything that the findings are drawn from.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) place: Place,
    pub(super) kernel: Known<KernelVersion>,
    pub(super) bits: Known<Option<FastOpenBits>>,
    pub(super) key: Known<KeyState>,
    pub(super) blackhole_timeout: Known<Option<Duration>>,
    pub(super) somaxconn: Known<Option<u32>>,
    pub(super) syn_cookies: Known<Option<SynCookies>>,
    pub(super) ipv6: Known<bool>,
    pub(super) listeners: Known<Vec<Held>>,
    pub(super) counters: Known<Counters>,
    pub(super) cookies: Known<Vec<Entry>>,
}

/// A listener, and who holds it as far as that can be seen.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) listener: Listener,
    /// How many connections may wait to be accepted.
    pub(super) backlog: Option<u32>,
    pub(super) processes: Vec<Process>,
}

impl Held {
    /// The program that holds it, as far as that can be seen.
    pub(super) fn program(&self) -> Option<&str> {
        self.processes.first().map(|process| process.name.as_str())
    }
}

impl Facts {
    /// Reads them from the kernel. What can't be read is unknown; only a system that isn't Linux or has no `/proc` is an error.
    pub(super) fn gather() -> Result<Self, Error> {
        let kernel = match KernelVersion::running() {
            Err(error @ (Error::NotLinux | Error::NoProc)) => return Err(error),
            kernel => known(kernel),
        };
        Ok(Self {
            place: Place::of(signs()),
            kernel,
            bits: known(sysctl::fast_open()),
            key: known(sysctl::fast_open_key()),
            blackhole_timeout: known(sysctl::blackhole_timeout()),
            somaxconn: known(sysctl::somaxconn()),
            syn_cookies: known(sysctl::syn_cookies()),
            ipv6: known(sysctl::ipv6_enabled()),
            listeners: known(gather_listeners()),
            counters: known(Counters::read()),
            cookies: known(cookies::list()),
        })
    }

    /// The bits, where there are any to know.
    pub(super) fn known_bits(&self) -> Option<FastOpenBits> {
        self.bits.as_ref().ok().copied().flatten()
    }

    /// A counter's value; 0 where the kernel has no such counter.
    pub(super) fn count(&self, counter: Counter) -> u64 {
        let counters = self.counters.as_ref().ok();
        counters.and_then(|counters| counters.get(counter)).unwrap_or(0)
    }

    /// The listeners that ask for Fast Open.
    pub(super) fn fast_listeners(&self) -> impl Iterator<Item = &Held> {
        self.listeners
            .iter()
            .flatten()
            .filter(|held| held.listener.uses_fast_open())
    }
}

fn signs() -> Signs {
    let exists = |path| Path::new(path).exists();
    let ours = std::process::id();
    let is_elsewhere = |process| shares_network(ours, process) == Some(false);
    Signs {
        // One of the settings that are the whole machine's, and that other namespaces don't have: net/ipv4/sysctl_net_ipv4.c.
        initial: exists("/proc/sys/net/ipv4/tcp_mem"),
        kubernetes: env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        docker: exists("/.dockerenv"),
        podman: exists("/run/.containerenv"),
        nested: ancestors().chain([1]).any(is_elsewhere),
    }
}

/// Whether two processes are in one network namespace, where that can be seen.
fn shares_network(one: u32, other: u32) -> Option<bool> {
    let link = |process: u32| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    match (link(one), link(other)) {
        (Some(one), Some(other)) => Some(one == other),
        // Another user's link is not readable, but anyone may look into its net folder: each network namespace has files of its own there
        // (fs/proc/proc_net.c).
        _ => Some(net_file(one)? == net_file(other)?),
    }
}

/// What identifies the network namespace's files in a process's `/proc` folder.
fn net_file(process: u32) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let file = fs::metadata(format!("/proc/{process}/net/dev")).ok()?;
    Some(file.ino())
}

/// The processes from which this one comes, as far as they are in this PID namespace.
fn ancestors() -> impl Iterator<Item = u32> {
    let parent = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        parent.trim().parse().ok().filter(|parent| *parent != 0)
    };
    // More than any process has: numbers are reused while this looks.
    const MOST: usize = 64;
    std::iter::successors(Some(std::process::id()), parent)
        .skip(1)
        .take(MOST)
}

fn gather_listeners() -> Result<Vec<Held>, Error> {
    let listeners = listeners::list()?;
    // The processes and the backlogs are additions: without them the listeners are still reported.
    let owners = Owners::find(listeners.iter().map(|listener| listener.inode)).unwrap_or_default();
    let backlogs: HashMap<u64, u32> = sockets::list(&Filter::new().with_states([State::Listen]))
        .unwrap_or_default()
        .into_iter()
        .map(|socket| (socket.inode, socket.send_queue))
        .collect();
    Ok(listeners
        .into_iter()
        .map(|listener| Held {
            backlog: backlogs.get(&listener.inode).copied(),
            processes: owners.of(listener.inode).to_vec(),
            listener,
        })
        .collect())
}

fn known<T>(read: Result<T, Error>) -> Known<T> {
    read.map_err(|error| error.to_string())
}
