//! Probing one address: makes the connections that the schedule asks for, and gathers the evidence.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen_host::cookies;
use fastopen_host::counters::Counters;
use fastopen_host::sysctl::{self, FastOpenBits};
use tokio::sync::watch;
use tokio::time::sleep;

use super::checks;
use super::evidence::{Cached, Evidence, Machine, Trial};
use super::judge::judge;
use super::schedule;
use super::sniffer::Sniffer;
use crate::timed::{Client, Way};

/// How to probe.
#[derive(Clone, Debug)]
pub(super) struct Prober {
    pub(super) client: Client,
    /// How long connecting may take, and then the silence before the answer.
    pub(super) patience: Duration,
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
        let mut sniffer = None;
        let counters = self.alone.then(Counters::read).and_then(Result::ok);
        let mut session = Session {
            address,
            evidence: Evidence::new(self.machine, address.ip().is_loopback()),
            counters: None,
            saw_packets: false,
            interrupted: false,
        };
        while let Some(way) = schedule::next(&session.evidence, self.wanted) {
            if way == Way::Fast && sniffer.is_none() {
                // Only once a server has answered: opening a packet socket takes a while.
                sniffer = Sniffer::new(address);
                session.saw_packets = sniffer.is_some();
            }
            let trial = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => {
                    session.interrupted = true;
                    break;
                }
                trial = self.try_once(address, way, first_bytes, sniffer.as_ref(), &session.evidence) => trial,
            };
            let local = trial.made().and_then(|made| made.local);
            session.evidence.local |= local.is_some_and(|local| local.ip() == address.ip());
            session.evidence.trials.push(trial);
        }
        session.counters = counters.and_then(|before| Some(Counters::read().ok()?.since(&before)));
        self.check(&mut session, first_bytes, stop).await;
        session
    }

    /// Makes every check that would tell causes apart, until it is to stop.
    async fn check(&self, session: &mut Session, first_bytes: &[u8], mut stop: watch::Receiver<bool>) {
        let Session {
            address,
            evidence,
            counters,
            interrupted,
            ..
        } = session;
        let mut done = Vec::new();
        while let (false, Some(check)) = (
            *interrupted,
            checks::next(evidence, &judge(evidence), self.patience, &done),
        ) {
            done.push(check);
            let made = checks::make(
                check,
                evidence,
                *address,
                first_bytes,
                self.patience,
                counters.as_ref(),
            );
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => {
                    *interrupted = true;
                    break;
                }
                () = made => {}
            }
        }
    }

    async fn try_once(
        &self,
        address: SocketAddr,
        way: Way,
        first_bytes: &[u8],
        sniffer: Option<&Sniffer>,
        evidence: &Evidence,
    ) -> Trial {
        if !evidence.trials.is_empty() {
            sleep(schedule::pause(evidence.trials.len())).await;
        }
        if let Some(sniffer) = sniffer {
            sniffer.forget();
        }
        let before = Cached::for_address(address.ip());
        let client = self
            .client
            .with_silence(schedule::silence(evidence, way, self.patience))
            .with_timeout(schedule::connecting(evidence, self.patience));
        let result = client.connect(address, way, first_bytes).await;
        let after = Cached::for_address(address.ip());
        let local = result.as_ref().ok().and_then(|made| made.local);
        Trial {
            way,
            result,
            before,
            after,
            wire: sniffer.and_then(|sniffer| sniffer.connection(local)),
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
