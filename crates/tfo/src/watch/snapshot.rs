//! What the kernel reports at one moment.

use std::time::{Instant, SystemTime};

use fastopen_host::counters::Counters;
use fastopen_host::sockets::{self, Filter, State};
use fastopen_host::{Error, listeners};

use super::sockets::Sockets;

#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) taken: Instant,
    pub(super) time: SystemTime,
    pub(super) counters: Counters,
    pub(super) sockets: Sockets,
}

/// Those of a connection, from its first SYN to its last FIN.
const CONNECTED: [State; 8] = [
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
        })
    }
}

fn count_sockets() -> Result<Sockets, Error> {
    let mut counted = Sockets::new(listeners::list()?);
    for socket in sockets::dump(&Filter::new().with_states(CONNECTED))? {
        match socket {
            Ok(socket) => counted.add(&socket),
            // On a busy machine the list changes whenever it is read. A few connections more or less are no matter here.
            Err(Error::Interrupted { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(counted)
}
