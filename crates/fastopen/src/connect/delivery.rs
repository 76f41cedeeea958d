//! A connection after its handshake: it has to take the rest of the first bytes, or to show that a server spoke before the ACK.

use std::io;
use std::time::{Duration, Instant};

use fastopen_host::TcpState;

use super::connected::Connected;
use super::connector::Connector;
use super::error::ConnectError;
use super::first_flight::FirstFlight;
use super::lesson::{FastSyn, Lesson};
use crate::error::CallError;
use crate::outcome::{Outcome, Sent};
use crate::sys;
use crate::tcp_info::TcpInfo;

/// What the driver has to do before the caller gets the connection.
pub(crate) struct Delivery<'a, S> {
    connector: &'a Connector,
    pub(crate) connected: Connected<S>,
    pub(crate) sent: Sent,
    /// To be handed to the kernel.
    pub(crate) rest: &'a [u8],
    pub(crate) deadline: Option<Instant>,
    /// When the attempt began that has connected.
    began: Instant,
    /// Until when data from the server proves that it was sent before the client's ACK could arrive.
    proof_until: Option<Instant>,
}

/// Why the kernel did not take the rest of the first bytes.
#[derive(Debug)]
pub(crate) enum Undelivered {
    /// The time for connecting is up.
    TimedOut,
    /// The connection has ended.
    Ended(io::Error),
}

impl<'a, S> Delivery<'a, S> {
    pub(super) fn new(
        connector: &'a Connector,
        first_flight: FirstFlight<'a>,
        mut connected: Connected<S>,
        sent: Sent,
        info: &TcpInfo,
        began: Instant,
        deadline: Option<Instant>,
    ) -> Self {
        let mut rest = &first_flight.bytes()[sent.bytes()..];
        // A write would take the reset from the socket, and a read after it would report an orderly end.
        if !rest.is_empty() && info.state() == Some(TcpState::Close) {
            connected.cut_short = Some(sys::connection_reset());
            rest = &[];
        }
        let proof_until = (sent == Sent::Empty && connected.outcome == Outcome::Unknown)
            .then(|| began.checked_add(proof_window(info)?))
            .flatten();
        Self {
            connector,
            connected,
            sent,
            rest,
            deadline,
            began,
            proof_until,
        }
    }

    /// Until when to wait for data from the server, which may prove that it was sent early.
    pub(crate) fn await_proof_until(&self) -> Option<Instant> {
        let until = self.proof_until?;
        Some(self.deadline.map_or(until, |deadline| deadline.min(until)))
    }

    /// Takes a look at a connection on which something may have arrived.
    pub(crate) fn look_for_proof(&mut self, info: &TcpInfo, now: Instant) {
        let in_time = self.proof_until.is_some_and(|until| now <= until);
        if !in_time || info.bytes_received().unwrap_or(0) == 0 {
            return;
        }
        self.connected.outcome = Outcome::Accepted;
        let mut attempts = self.connected.attempts.iter();
        if let Some(connected) = attempts.find(|attempt| attempt.is_connected()) {
            let lesson = Lesson {
                destination: connected.address.ip(),
                fast_syn: FastSyn::Taken { sent: self.began },
                rtt: None,
            };
            self.connector.memory().learn(&lesson, now);
        }
    }

    /// What the caller gets. A connection that stood is theirs, whatever became of the rest: the server may have answered.
    pub(crate) fn end(self, delivered: Result<(), Undelivered>) -> Result<Connected<S>, ConnectError> {
        let mut connected = self.connected;
        match delivered {
            Ok(()) => {}
            Err(Undelivered::Ended(error)) => connected.cut_short = Some(CallError::new("send", &error)),
            Err(Undelivered::TimedOut) => {
                return Err(ConnectError::TimedOut {
                    timeout: self.connector.timeout().unwrap_or_default(),
                    attempts: connected.attempts,
                    outcome: Some(connected.outcome),
                });
            }
        }
        Ok(connected)
    }
}

/// How long after an attempt began data from the server proves that the server sent it before the client's ACK reached it.
///
/// The SYN-ACK came one round trip after the SYN, and what answers the client's ACK takes a second one. Round trips vary, so only data
/// that comes within a quarter of one after the SYN-ACK counts.
fn proof_window(info: &TcpInfo) -> Option<Duration> {
    let rtt = info.rtt().filter(|rtt| !rtt.is_zero())?;
    (info.total_retrans() == Some(0)).then(|| rtt + rtt / 4)
}
