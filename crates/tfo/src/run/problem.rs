//! What keeps connections from being fast, or from being remembered, as a warning and in the report.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use fastopen_attach::supervise::NotSupervised;
use fastopen_host::sysctl::{self, FastOpenBits};
use serde::Serialize;

/// A problem, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) problem: Kind,
    pub(super) text: String,
    /// A command, where one would do.
    pub(super) fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// The sysctl's client bit is off.
    ClientBit,
    /// The sysctl's server bit is off.
    ServerBit,
    /// What is learnt of destinations is not kept.
    Memory,
    /// The supervisor may not open as many files as it needs.
    DescriptorLimit,
    /// The program ran without a supervisor.
    NotSupervised,
    /// Another `tfo run` supervises the program already.
    AlreadySupervised,
}

impl Problem {
    /// With the bit off nothing fails, and nothing is gained either.
    pub(super) fn of_sysctl(listen: bool) -> Option<Self> {
        // Where it can't be read the supervisor says what is missing.
        let bits = sysctl::fast_open().ok()??;
        let (problem, wanted, name, without) = match listen {
            true => (
                Kind::ServerBit,
                FastOpenBits::SERVER,
                "server",
                "no listener takes data in a SYN",
            ),
            false => (
                Kind::ClientBit,
                FastOpenBits::CLIENT,
                "client",
                "no connection sends data in its SYN",
            ),
        };
        (!bits.contains(wanted)).then(|| Self {
            problem,
            text: format!(
                "net.ipv4.tcp_fastopen is {}, without the {name} bit ({:#x}): {without}",
                bits.bits(),
                wanted.bits()
            ),
            fix: Some(format!(
                "sudo sysctl -w net.ipv4.tcp_fastopen={}",
                (bits | wanted).bits()
            )),
        })
    }

    pub(super) fn of_memory(path: &Path, error: &io::Error) -> Self {
        Self {
            problem: Kind::Memory,
            text: format!(
                "what was learnt of destinations can't be kept in {}, so that each run starts anew, with ordinary connections: {error}",
                path.display()
            ),
            fix: None,
        }
    }

    /// It is seen where a connection lacks a descriptor, by the process that has the limit.
    pub(super) fn of_descriptors() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let limit = limit.map_or("none".to_owned(), |limit| limit.to_string());
        Self {
            problem: Kind::DescriptorLimit,
            text: format!(
                "the supervisor's limit of open files is {limit}, and some connections were left alone for it: \
                 the hard limit (ulimit -Hn) is too low for so many at once"
            ),
            fix: None,
        }
    }

    pub(super) fn of_supervision(reason: &NotSupervised) -> Self {
        let (problem, text) = match reason.is_supervised_already() {
            true => (
                Kind::AlreadySupervised,
                "this is already under tfo run, whose options and report apply, and not those given here"
                    .to_owned(),
            ),
            false => (
                Kind::NotSupervised,
                format!("running without Fast Open: {reason}"),
            ),
        };
        Self {
            problem,
            text,
            fix: None,
        }
    }
}

/// Where what is learnt of destinations is kept: each user has a file.
pub(super) fn memory_path() -> Result<PathBuf, Problem> {
    let from = |variable: &str| {
        env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = match from("XDG_STATE_HOME") {
        Some(folder) => Some(folder),
        // Not the home of the user who called sudo.
        None if rustix::process::geteuid().is_root() => Some(PathBuf::from("/var/lib")),
        None => from("HOME").map(|home| home.join(".local/state")),
    };
    folder.map(|folder| folder.join("tfo/destinations")).ok_or_else(|| Problem {
        problem: Kind::Memory,
        text: "what is learnt of destinations is not kept, so that each run starts anew, with ordinary connections: neither HOME nor \
               XDG_STATE_HOME is an absolute path"
            .to_owned(),
        fix: Some("XDG_STATE_HOME=/var/tmp/state tfo run …".to_owned()),
    })
}
