//! What the kernel reports at one moment.

use std::time::{Instant, SystemTime};

use fastopen::KeyRing;
use fastopen_host::counters::Counters;
use fastopen_host::sockets::{self, Filter, State};
use fastopen_host::{Error, listeners, sysctl};

use super::sockets::Sockets;
use crate::fingerprint;

#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) taken: Instant,
    pub(super) time: SystemTime,
    pub(super) counters: Counters,
    pub(super) sockets: Sockets,
    /// Of the server's keys, the primary one first; empty where this process may not read them, or there is none.
    pub(super) fingerprints: Vec<String>,
}

/// Those of a connection, from its first SYN to its last FIN.
const CONNECTED: &[State] = &[
    State::Established,
    State::SynSent,
    State::SynRecv,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::LastAck,
    State::Closing,
];

impl Snapshot {
    /// Asks the kernel, of the calling thread's network namespace.
    pub(super) fn take() -> Result<Self, Error> {
        Ok(Self {
            taken: Instant::now(),
            time: SystemTime::now(),
            counters: Counters::read()?,
            sockets: count_sockets()?,
            fingerprints: fingerprints(),
        })
    }
}

/// Only root may read the keys; everything else is shown without them.
fn fingerprints() -> Vec<String> {
    let keys = sysctl::fast_open_key_text()
        .ok()
        .flatten()
        .and_then(|text| text.trim().parse().ok());
    keys.filter(|keys: &KeyRing| keys.primary().as_bytes().iter().any(|byte| *byte != 0))
        .map_or_else(Vec::new, |keys| fingerprint::of_ring(&keys))
}

fn count_sockets() -> Result<Sockets, Error> {
    let mut counted = Sockets::new(listeners::list()?);
    for socket in sockets::dump(&Filter::new().with_states(CONNECTED.iter().copied()))? {
        match socket {
            Ok(socket) => counted.add(&socket),
            // On a busy machine the list changes whenever it is read. It does not matter here if a few connections are missing.
            Err(Error::Interrupted { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(counted)
}
