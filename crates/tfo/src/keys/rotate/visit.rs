//! What is done in a network namespace, on a thread that goes from one to the next.

use std::thread;
use std::time::{Duration, Instant};

use fastopen::KeyRing;
use fastopen_host::listeners::Listener;

use super::super::kernel;
use super::listeners;
use crate::namespace::Namespace;
use crate::namespace::machine::{self, Id};

/// What a hint tells to run as root.
const COMMAND: &str = "tfo keys rotate";
/// How long looks may take, after the first few. With thousands of namespaces each costs the kernel a millisecond, because the sysctls of
/// all of them have one name among its cached paths.
const LOOKING: Duration = Duration::from_millis(10);
const FIRST_FEW: usize = 20;

/// What a visit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To set the keys.
    Set,
    /// To see whether they still are set, and to set them if not. There is no hurry.
    Look,
}

/// What a visit came to.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) id: Id,
    pub(super) namespace: Namespace,
    /// The keys are set; whether somebody else had set others.
    pub(super) overwritten: anyhow::Result<bool>,
    /// The listeners there, if they were asked for.
    pub(super) listeners: Option<Result<Vec<Listener>, fastopen_host::Error>>,
}

/// Visits these namespaces, in order; not all of them, if it is to look and takes too long. The error is that there is no thread for it.
pub(super) fn all(
    namespaces: &[(Id, Namespace)],
    purpose: Purpose,
    keys: &KeyRing,
    with_listeners: bool,
) -> Result<Vec<Visit>, String> {
    if namespaces.is_empty() {
        return Ok(Vec::new());
    }
    let here = machine::here();
    let began = Instant::now();
    let work = || {
        let mut visits = Vec::new();
        for (id, namespace) in namespaces {
            if purpose == Purpose::Look && visits.len() >= FIRST_FEW && began.elapsed() > LOOKING {
                break;
            }
            let overwritten = machine::enter(here, *id, namespace, COMMAND).and_then(|()| match purpose {
                Purpose::Set => kernel::write(keys).map(|()| false),
                Purpose::Look if kernel::read()?.as_ref() == Some(keys) => Ok(false),
                Purpose::Look => kernel::write(keys).map(|()| true),
            });
            visits.push(Visit {
                id: *id,
                namespace: namespace.clone(),
                listeners: (with_listeners && overwritten.is_ok()).then(listeners::here),
                overwritten,
            });
        }
        visits
    };
    // A thread that has entered one namespace can go on to the next, and does not come back.
    thread::scope(|scope| {
        let running = thread::Builder::new()
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread to set keys with: {error}"))?;
        running
            .join()
            .map_err(|_| "the thread that sets keys ended".to_owned())
    })
}
