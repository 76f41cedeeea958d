//! How many descriptors a supervisor may have: it takes one for each connection that is being made.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::refusal::{DESCRIPTORS, NotSupervised};

/// What it has besides, and takes for a moment.
const RESERVED: u64 = 32;
/// With fewer even a program of few connections would lack some.
const LEAST: u64 = 64;
const MOST: u64 = 1 << 16;

/// Whether a supervisor of this process could have as many as it takes, once it has raised its own limit as far as it may.
pub(crate) fn check() -> Result<(), NotSupervised> {
    match getrlimit(Resource::Nofile).maximum {
        Some(limit) if limit < LEAST => Err(NotSupervised::of(DESCRIPTORS)(io::Error::other(format!(
            "the hard limit is {limit}, and a supervisor takes at least {LEAST}"
        )))),
        _ => Ok(()),
    }
}

/// Raises this process's limit as far as it may; gives what it was.
pub(crate) fn raise() -> Rlimit {
    let limit = getrlimit(Resource::Nofile);
    set(Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    });
    limit
}

/// Sets this process's limit to what it was.
pub(crate) fn set(limit: Rlimit) {
    let _ = setrlimit(Resource::Nofile, limit);
}

/// How many connections may be looked after at once.
pub(crate) fn capacity() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(MOST);
    usize::try_from(limit.saturating_sub(RESERVED).min(MOST)).unwrap_or(usize::MAX)
}
