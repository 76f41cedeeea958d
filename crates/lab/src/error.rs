//! What can go wrong with a lab, and what would help.

use std::io;

use crate::scenario::ScenarioError;

/// Why there is no lab, or why it can't do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// [`enter`](crate::enter) was called when the process had more than one thread, which the kernel doesn't take.
    #[error(
        "the process has {threads} threads already; call fastopen_lab::enter() first thing in main, or run as root"
    )]
    TooLate {
        /// How many threads there were.
        threads: usize,
    },
    /// The system doesn't let this user make a user namespace.
    #[error("this user may not make a user namespace ({source}): {hint}")]
    UserNamespace {
        /// What the kernel said.
        source: io::Error,
        /// What would help.
        hint: String,
    },
    /// A system call for the namespaces, links or sockets of the lab failed.
    #[error("{call}: {source}")]
    System {
        /// What was called, and on what.
        call: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A setting can't be read or written in a host.
    #[error("{host}: sysctl {name}: {source}")]
    Sysctl {
        /// The host.
        host: String,
        /// The setting's name.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The scenario names something that isn't there, or can't be built.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The lab has no host or farm of that name.
    #[error("the lab has no {name:?}, only {}", known.join(", "))]
    UnknownHost {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A raw peer speaks only for hosts that are declared as raw.
    #[error(
        "{0}'s kernel answers for its addresses; declare the host with HostSpec::raw (raw = true) to speak for them"
    )]
    NotRaw(String),
    /// Bytes that should be an IP packet to a host of the lab are not.
    #[error("not an IP packet for a host of this lab")]
    NoSuchDestination,
    /// The other side of a raw connection didn't do its part of the handshake.
    #[error("no {expected} within {waited:?}")]
    NoAnswer {
        /// The segment that was waited for.
        expected: &'static str,
        /// For how long.
        waited: std::time::Duration,
    },
}

impl Error {
    pub(crate) fn system(call: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let call = call.into();
        move |source| Self::System { call, source }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::UserNamespace { source, .. }
            | Error::System { source, .. }
            | Error::Sysctl { source, .. } => source.kind(),
            Error::NoAnswer { .. } => io::ErrorKind::TimedOut,
            Error::UnknownHost { .. } | Error::NoSuchDestination => io::ErrorKind::NotFound,
            Error::Scenario(_) | Error::NotRaw(_) => io::ErrorKind::InvalidInput,
            Error::TooLate { .. } => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
