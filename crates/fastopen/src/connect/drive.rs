//! What both drivers do: carry out what the race decides. They differ in what they make of a socket, and in how they wait.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Instant;

use socket2::Socket;

use super::attempt::Attempt;
use super::connected::Connected;
use super::connector::Connector;
use super::error::ConnectError;
use super::memory::Lesson;
use super::race::{Action, Id, Plan, Race};
use super::start::{look_at_once, start};
use crate::error::CallError;
use crate::outcome::{Outcome, Sent};
use crate::tcp_info::TcpInfo;

/// The attempts under way, each with its socket in the form that the driver waits for.
pub(crate) struct Drive<'a, S> {
    connector: &'a Connector,
    first_bytes: &'a [u8],
    race: Race,
    under_way: Vec<UnderWay<S>>,
}

pub(crate) struct UnderWay<S> {
    id: Id,
    pub(crate) socket: S,
    sent: Sent,
}

/// What there is to do next.
pub(crate) enum Step<S> {
    /// Wait for the attempts under way, until then at the latest.
    Wait(Option<Instant>),
    /// Deliver what is left of the first bytes.
    Deliver(Won<S>),
}

/// The attempt that has connected.
pub(crate) struct Won<S> {
    attempt: UnderWay<S>,
    outcome: Outcome,
}

impl<'a, S: AsFd> Drive<'a, S> {
    pub(crate) fn new(
        connector: &'a Connector,
        addresses: impl IntoIterator<Item = SocketAddr>,
        first_bytes: &'a [u8],
    ) -> Result<Self, ConnectError> {
        let race = connector.race(addresses, first_bytes, Instant::now())?;
        Ok(Self {
            connector,
            first_bytes,
            race,
            under_way: Vec::new(),
        })
    }

    /// Starts and abandons attempts until there is nothing to do but wait, or one has connected. The driver makes its own of each
    /// socket once the SYN has left, and says whether it wants sockets that block.
    pub(crate) fn step(
        &mut self,
        blocking: bool,
        adopt: impl Fn(Socket) -> Result<S, CallError>,
    ) -> Result<Step<S>, ConnectError> {
        loop {
            match self.race.next(Instant::now()) {
                Action::Start(id, plan) => {
                    if let Some(won) = self.begin(id, plan, blocking, &adopt) {
                        return Ok(Step::Deliver(won));
                    }
                }
                Action::Abandon(id) => self.under_way.retain(|attempt| attempt.id != id),
                Action::Wait(until) => return Ok(Step::Wait(until)),
                Action::Failed => {
                    return Err(ConnectError::Failed {
                        attempts: self.end_race(),
                    });
                }
                Action::TimedOut => {
                    let timeout = self.connector.timeout().unwrap_or_default();
                    return Err(ConnectError::TimedOut {
                        timeout,
                        attempts: self.end_race(),
                    });
                }
            }
        }
    }

    fn begin(
        &mut self,
        id: Id,
        plan: Plan,
        blocking: bool,
        adopt: impl Fn(Socket) -> Result<S, CallError>,
    ) -> Option<Won<S>> {
        let started = start(self.connector, plan, self.first_bytes, blocking).and_then(|(socket, sent)| {
            let looked = look_at_once(&socket, sent);
            let socket = adopt(socket)?;
            Ok((UnderWay { id, socket, sent }, looked))
        });
        match started {
            Err(error) => {
                self.race.failed_to_start(id, error, Instant::now());
                None
            }
            Ok((attempt, looked)) => {
                self.race.started(id, attempt.sent);
                self.under_way.push(attempt);
                self.heard(self.under_way.len() - 1, looked)
            }
        }
    }

    /// The attempts to wait for.
    pub(crate) fn under_way(&self) -> &[UnderWay<S>] {
        &self.under_way
    }

    /// Takes what the driver found out about one of the [attempts under way](Self::under_way), by its place among them. A failed one
    /// leaves the list, and those behind it move up.
    pub(crate) fn heard(
        &mut self,
        place: usize,
        handshake: Result<Option<TcpInfo>, CallError>,
    ) -> Option<Won<S>> {
        match handshake {
            Ok(None) => None,
            Ok(Some(info)) => {
                let attempt = self.under_way.remove(place);
                let outcome = Outcome::judge(attempt.sent, &info);
                Some(Won { attempt, outcome })
            }
            Err(error) => {
                let failed = self.under_way.remove(place);
                self.race.failed(failed.id, error, Instant::now());
                None
            }
        }
    }

    /// Closes all other attempts, and remembers what the one that won has taught.
    pub(crate) fn finish(mut self, won: Won<S>) -> Delivery<'a, S> {
        let Won { attempt, outcome } = won;
        self.under_way.clear();
        let address = self.race.address(attempt.id);
        let now = Instant::now();
        if let Some(lesson) = Lesson::from_outcome(address.ip(), outcome) {
            self.connector.memory().learn(&lesson, now);
        }
        let deadline = self.race.deadline();
        self.race.connected(attempt.id, now);
        Delivery {
            address,
            deadline,
            rest: &self.first_bytes[attempt.sent.bytes()..],
            sent: attempt.sent,
            connected: Connected {
                stream: attempt.socket,
                outcome,
                attempts: self.end_race(),
            },
        }
    }

    fn end_race(&mut self) -> Vec<Attempt> {
        self.race.take_attempts(Instant::now())
    }
}

/// A connection that has still to take the rest of the first bytes.
pub(crate) struct Delivery<'a, S> {
    pub(crate) connected: Connected<S>,
    pub(crate) sent: Sent,
    pub(crate) rest: &'a [u8],
    pub(crate) deadline: Option<Instant>,
    address: SocketAddr,
}

impl<S> Delivery<'_, S> {
    pub(crate) fn failed(&self) -> impl Fn(std::io::Error) -> ConnectError + use<S> {
        let address = self.address;
        move |source| ConnectError::FirstBytes { address, source }
    }
}
