//! Probing one address: makes the connections that the method asks for, and gathers the evidence.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen_host::cookies;
use fastopen_host::counters::Counters;
use fastopen_host::sysctl::{self, FastOpenBits};
use tokio::sync::watch;
use tokio::time::sleep;

use super::evidence::{Cached, Evidence, Machine, Trial};
use super::method;
use super::witness::Witness;
use crate::exchange::{Client, Way};

/// How to probe.
#[derive(Clone, Debug)]
pub(super) struct Prober {
    pub(super) client: Client,
    /// How many connections are to carry data in their SYN.
    pub(super) wanted: usize,
    pub(super) machine: Machine,
    /// Whether nothing else is probed at the same time, so that the machine's counters say something.
    pub(super) alone: bool,
}

/// Everything that was learnt of one address.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) address: SocketAddr,
    pub(super) evidence: Evidence,
    /// By how much this machine's counters rose meanwhile.
    pub(super) counters: Option<Counters>,
    /// Whether packets could be looked at.
    pub(super) saw_packets: bool,
    pub(super) interrupted: bool,
}

/// Between two connections to the same address, out of politeness.
const PAUSE: Duration = Duration::from_millis(100);

impl Machine {
    /// What the kernel says of it.
    pub(super) fn examine() -> Self {
        match sysctl::fast_open() {
            Ok(None) => Self::Incapable,
            Ok(Some(bits)) if !bits.contains(FastOpenBits::CLIENT) => Self::SwitchedOff,
            Ok(Some(bits)) if bits.contains(FastOpenBits::CLIENT_NO_COOKIE) => Self::SendsWithoutCookie,
            Ok(Some(_)) => Self::Ready,
            Err(_) => Self::Unknown,
        }
    }
}

impl Prober {
    /// Makes one connection after the other until there is enough to say, or until it is to stop.
    pub(super) async fn probe(
        &self,
        address: SocketAddr,
        first_bytes: &[u8],
        mut stop: watch::Receiver<bool>,
    ) -> Session {
        let mut witness = None;
        let counters = self.alone.then(Counters::read).and_then(Result::ok);
        let mut session = Session {
            address,
            evidence: Evidence {
                machine: self.machine,
                local: address.ip().is_loopback(),
                trials: Vec::new(),
            },
            counters: None,
            saw_packets: false,
            interrupted: false,
        };
        while let Some(way) = method::next(&session.evidence, self.wanted) {
            if way == Way::Fast && witness.is_none() {
                // Not before there is somebody to look at: it takes its time.
                witness = Witness::new(address);
                session.saw_packets = witness.is_some();
            }
            let rested = !session.evidence.trials.is_empty();
            let trial = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => {
                    session.interrupted = true;
                    break;
                }
                trial = self.try_once(address, way, first_bytes, witness.as_ref(), rested) => trial,
            };
            let local = trial.made().and_then(|made| made.local);
            session.evidence.local |= local.is_some_and(|local| local.ip() == address.ip());
            session.evidence.trials.push(trial);
        }
        session.counters = counters.and_then(|before| Some(Counters::read().ok()?.since(&before)));
        session
    }

    async fn try_once(
        &self,
        address: SocketAddr,
        way: Way,
        first_bytes: &[u8],
        witness: Option<&Witness>,
        after_a_pause: bool,
    ) -> Trial {
        if after_a_pause {
            sleep(PAUSE).await;
        }
        if let Some(witness) = witness {
            witness.forget();
        }
        let before = Cached::for_address(address.ip());
        let result = self.client.connect(address, way, first_bytes).await;
        let after = Cached::for_address(address.ip());
        let local = result.as_ref().ok().and_then(|made| made.local);
        Trial {
            way,
            result,
            before,
            after,
            wire: witness.and_then(|witness| witness.connection(local)),
        }
    }
}

impl Cached {
    fn for_address(address: IpAddr) -> Self {
        match cookies::get(address.to_canonical()) {
            Err(_) => Self::Unknown,
            Ok(entry) => entry
                .and_then(|entry| entry.cookie)
                .map_or(Self::Nothing, Self::Cookie),
        }
    }
}
