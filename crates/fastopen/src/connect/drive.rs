//! What both drivers do: carry out what the race decides. They differ in what they make of a socket, and in how they wait.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use socket2::Socket;

use super::attempt::Attempt;
use super::connected::Connected;
use super::connector::Connector;
use super::delivery::Delivery;
use super::error::ConnectError;
use super::first_flight::FirstFlight;
use super::lesson::Lesson;
use super::race::{Action, Id, Plan, PlannedSyn, Race};
use super::start::{as_it_left, look_at_once, start};
use crate::error::CallError;
use crate::outcome::Sent;
use crate::sys::{self, AsFd, Handshake};
use crate::tcp_info::TcpInfo;

/// The attempts under way, each with its socket in the form that the driver waits for.
pub(crate) struct Drive<'a, S> {
    connector: &'a Connector,
    first_flight: FirstFlight<'a>,
    /// The driver's clock: a runtime may have one of its own, which tests can pause.
    clock: Clock,
    race: Race,
    under_way: Vec<UnderWay<S>>,
}

pub(crate) type Clock = fn() -> Instant;

pub(crate) struct UnderWay<S> {
    id: Id,
    pub(crate) socket: S,
    pub(crate) sent: Sent,
}

/// What there is to do next.
#[allow(clippy::large_enum_variant, reason = "it lives for one call, on the stack")]
pub(crate) enum Step<S> {
    /// Wait for the attempts under way, until then at the latest.
    Wait(Option<Instant>),
    /// Deliver what is left of the first bytes.
    Deliver(Won<S>),
}

/// The attempt that has connected.
pub(crate) struct Won<S> {
    attempt: UnderWay<S>,
    info: TcpInfo,
}

impl<'a, S: AsFd> Drive<'a, S> {
    pub(crate) fn new(
        connector: &'a Connector,
        addresses: impl IntoIterator<Item = SocketAddr>,
        first_flight: FirstFlight<'a>,
        began: Instant,
        clock: Clock,
    ) -> Result<Self, ConnectError> {
        let race = connector.race(addresses, first_flight, began)?;
        Ok(Self {
            connector,
            first_flight,
            clock,
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
            match self.race.next((self.clock)()) {
                Action::Start(id, plan) => {
                    if let Some(won) = self.begin(id, plan, blocking, &adopt) {
                        return Ok(Step::Deliver(won));
                    }
                }
                Action::Abandon(id) => self.close(id),
                Action::Wait(until) => return Ok(Step::Wait(until)),
                Action::Failed => {
                    return Err(ConnectError::Failed {
                        attempts: self.end_race(),
                    });
                }
                Action::TimedOut => {
                    return Err(ConnectError::TimedOut {
                        timeout: self.connector.timeout().unwrap_or_default(),
                        attempts: self.end_race(),
                        outcome: None,
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
        let started = self.start(id, plan, blocking).and_then(|(socket, sent)| {
            let looked = look_at_once(&socket, sent);
            let socket = adopt(socket)?;
            Ok((UnderWay { id, socket, sent }, looked))
        });
        match started {
            Err(error) => {
                self.race.failed_to_start(id, error, (self.clock)());
                None
            }
            Ok((attempt, looked)) => {
                self.race.started(id, as_it_left(attempt.sent, &looked));
                self.under_way.push(attempt);
                let won = self.received(self.under_way.len() - 1, looked);
                if won.is_none() && plan.syn == PlannedSyn::Fast {
                    self.ask_for_plain_delay(id, plan.address.ip());
                }
                won
            }
        }
    }

    /// Now that the SYN is under way there is time to ask.
    fn ask_for_plain_delay(&mut self, id: Id, destination: IpAddr) {
        let delay = self.connector.ask_for_plain_delay(destination, (self.clock)());
        if let Some(delay) = delay {
            self.race.plain_joins_after(id, delay);
        }
    }

    /// Where no descriptor is left, attempts that have had their time make room, the oldest first.
    fn start(&mut self, id: Id, plan: Plan, blocking: bool) -> Result<(Socket, Sent), CallError> {
        loop {
            match start(self.connector, plan, self.first_flight, blocking) {
                Err(error) if sys::is_out_of_descriptors(&error) => {
                    let oldest = self.race.make_room(id, (self.clock)()).ok_or(error)?;
                    self.close(oldest);
                }
                started => return started,
            }
        }
    }

    fn close(&mut self, id: Id) {
        self.under_way.retain(|attempt| attempt.id != id);
    }

    /// The attempts to wait for.
    pub(crate) fn under_way(&self) -> &[UnderWay<S>] {
        &self.under_way
    }

    /// Takes what the driver found out about one of the [attempts under way](Self::under_way), by its place among them. A failed one
    /// leaves the list, and those behind it move up.
    pub(crate) fn received(
        &mut self,
        place: usize,
        handshake: Result<Handshake, CallError>,
    ) -> Option<Won<S>> {
        match handshake {
            Ok(Handshake::UnderWay(_)) => None,
            Ok(Handshake::Complete(info)) => {
                let attempt = self.under_way.remove(place);
                Some(Won { attempt, info })
            }
            Err(error) => {
                let failed = self.under_way.remove(place);
                self.race.failed(failed.id, error, (self.clock)());
                None
            }
        }
    }

    /// Closes all other attempts, and remembers what the one that won has taught.
    pub(crate) fn finish(mut self, won: Won<S>) -> Delivery<'a, S> {
        let Won { attempt, info } = won;
        self.under_way.clear();
        let destination = self.race.address(attempt.id).ip();
        let outcome = sys::outcome(attempt.socket.as_fd(), attempt.sent, &info, destination);
        let now = (self.clock)();
        let beginning = self.race.beginning();
        let began = self.race.began(attempt.id);
        let deadline = self.race.deadline();
        self.race.connected(attempt.id, now);
        let attempts = self.end_race();
        if let Some(lesson) = Lesson::new(beginning, &attempts, attempt.id, outcome, &info) {
            self.connector.memory().learn(&lesson, now);
        }
        Delivery::new(
            self.connector,
            self.first_flight,
            Connected {
                stream: attempt.socket,
                outcome,
                attempts,
                cut_short: None,
            },
            attempt.sent,
            &info,
            began,
            deadline,
        )
    }

    fn end_race(&mut self) -> Vec<Attempt> {
        self.race.take_attempts((self.clock)())
    }
}
