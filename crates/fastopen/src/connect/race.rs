//! Which attempt starts when: the decisions of connecting, without a socket and without a clock of their own.
//!
//! A driver asks [`Race::next`] what to do, does it, and tells what happened. Addresses start one [`address_delay`](Settings::address_delay)
//! after the other, or as soon as one fails (RFC 8305, section 5). A fast attempt that has no SYN-ACK after a delay of its
//! [own](Plan::plain_after), or that the network turns away, is joined by a plain one to the same address.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::attempt::{Attempt, AttemptEnd, Syn};
use crate::error::CallError;
use crate::outcome::{Outcome, Sent};

/// How many attempts may be under way at once. The oldest makes room for the next: with the usual delay it has had eight seconds.
pub(crate) const MAX_UNDER_WAY: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an attempt has before the next address joins it.
    pub(crate) address_delay: Duration,
    /// How long one attempt may go without an answer.
    pub(crate) attempt_timeout: Option<Duration>,
    /// How long all of it may take.
    pub(crate) timeout: Option<Duration>,
}

/// An address, and how to connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) syn: PlannedSyn,
    /// How long a fast attempt has to be answered before a plain one joins it; `None` where none is to.
    pub(crate) plain_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedSyn {
    /// With the Fast Open option, and data if there is a cookie.
    Fast,
    /// An ordinary one; the outcome is known beforehand.
    Plain(Outcome),
}

/// Names an attempt of one race: its place in the list of attempts.
pub(crate) type Id = usize;

/// What the driver is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin to connect, then call [`Race::started`] or [`Race::failed_to_start`].
    Start(Id, Plan),
    /// Close that attempt's socket.
    Abandon(Id),
    /// Wait for the attempts under way, until then at the latest, and tell what happened.
    Wait(Option<Instant>),
    /// Every attempt has failed.
    Failed,
    /// The time is up.
    TimedOut,
}

#[derive(Debug)]
pub(crate) struct Race {
    settings: Settings,
    began: Instant,
    deadline: Option<Instant>,
    /// Plain attempts that are to join or replace a fast one at once.
    due: VecDeque<Plan>,
    /// The addresses not yet tried.
    waiting: VecDeque<Plan>,
    next_address_at: Instant,
    attempts: Vec<Attempt>,
    /// The oldest first.
    under_way: VecDeque<UnderWay>,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    id: Id,
    /// When a plain attempt joins it; `None` when none will, or one has.
    joined_at: Option<Instant>,
    /// When it is given up.
    until: Option<Instant>,
}

impl Race {
    pub(crate) fn new(plans: impl IntoIterator<Item = Plan>, settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            began: now,
            deadline: settings.timeout.and_then(|timeout| now.checked_add(timeout)),
            due: VecDeque::new(),
            waiting: plans.into_iter().collect(),
            next_address_at: now,
            attempts: Vec::new(),
            under_way: VecDeque::new(),
        }
    }

    /// What to do now. To be called until it says to wait, or that it is over.
    pub(crate) fn next(&mut self, now: Instant) -> Action {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Action::TimedOut;
        }
        if let Some(id) = self.give_up_one(now) {
            return Action::Abandon(id);
        }
        self.join_the_unanswered(now);
        let address_is_due =
            self.next_address_at <= now || (self.under_way.is_empty() && self.due.is_empty());
        let starts = !self.due.is_empty() || (address_is_due && !self.waiting.is_empty());
        if !starts {
            return if self.under_way.is_empty() {
                Action::Failed
            } else {
                Action::Wait(self.wake_up())
            };
        }
        if let Some(oldest) = self
            .under_way
            .front()
            .filter(|_| self.under_way.len() >= MAX_UNDER_WAY)
        {
            let id = oldest.id;
            self.end(id, AttemptEnd::Unanswered, now);
            return Action::Abandon(id);
        }
        let next_address = || {
            self.next_address_at = later(now, self.settings.address_delay);
            self.waiting.pop_front()
        };
        match self.due.pop_front().or_else(next_address) {
            Some(plan) => Action::Start(self.begin(plan, now), plan),
            None => Action::Failed,
        }
    }

    /// The attempt's SYN is on its way.
    pub(crate) fn started(&mut self, id: Id, sent: Sent) {
        self.attempts[id].syn = match sent {
            Sent::Plain(_) => Syn::Plain,
            Sent::Nothing | Sent::Empty => Syn::Fast { bytes: 0 },
            Sent::InSyn(bytes) => Syn::Fast { bytes },
        };
        if matches!(sent, Sent::Plain(_)) {
            self.will_not_be_joined(id);
        }
    }

    /// Gives the attempt so long, counted from its start, before a plain one joins it, if one is still to.
    pub(crate) fn plain_joins_after(&mut self, id: Id, delay: Duration) {
        let at = later(self.began + self.attempts[id].started, delay);
        if let Some(attempt) = self.under_way.iter_mut().find(|attempt| attempt.id == id) {
            attempt.joined_at = attempt.joined_at.map(|_| at);
        }
    }

    /// The attempt could not begin: a plain one to the same address would fare no better.
    pub(crate) fn failed_to_start(&mut self, id: Id, error: CallError, now: Instant) {
        self.end(id, AttemptEnd::Failed(error), now);
        self.next_address_at = now;
    }

    /// The network turned the attempt away. A fast one is followed by a plain one to the same address, others by the next address.
    pub(crate) fn failed(&mut self, id: Id, error: CallError, now: Instant) {
        let was_to_be_joined = self.will_not_be_joined(id);
        self.end(id, AttemptEnd::Failed(error), now);
        if was_to_be_joined {
            self.join(id);
        } else {
            self.next_address_at = now;
        }
    }

    /// The attempt's handshake is complete, and the race is over.
    pub(crate) fn connected(&mut self, id: Id, now: Instant) {
        self.end(id, AttemptEnd::Connected, now);
    }

    /// Ends the oldest attempt under way, so that `id` can have its descriptor; `None` when there is no other.
    pub(crate) fn make_room(&mut self, id: Id, now: Instant) -> Option<Id> {
        let oldest = self.under_way.iter().find(|attempt| attempt.id != id)?.id;
        self.end(oldest, AttemptEnd::Unanswered, now);
        Some(oldest)
    }

    /// When the attempt began.
    pub(crate) fn began(&self, id: Id) -> Instant {
        self.began + self.attempts[id].started
    }

    /// Hands out the attempts; those still under way end here.
    pub(crate) fn take_attempts(&mut self, now: Instant) -> Vec<Attempt> {
        while let Some(attempt) = self.under_way.front() {
            self.end(attempt.id, AttemptEnd::Unanswered, now);
        }
        std::mem::take(&mut self.attempts)
    }

    /// Where the attempt leads to.
    pub(crate) fn address(&self, id: Id) -> SocketAddr {
        self.attempts[id].address
    }

    /// When it all began: what the attempts count from.
    pub(crate) fn beginning(&self) -> Instant {
        self.began
    }

    /// When the time for all of it is up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Ends an attempt whose time is up. What was to join it starts now, and so does the next address.
    fn give_up_one(&mut self, now: Instant) -> Option<Id> {
        let is_over = |attempt: &&UnderWay| attempt.until.is_some_and(|until| until <= now);
        let id = self.under_way.iter().find(is_over)?.id;
        if self.will_not_be_joined(id) {
            self.join(id);
        }
        self.end(id, AttemptEnd::Unanswered, now);
        self.next_address_at = now;
        Some(id)
    }

    fn join_the_unanswered(&mut self, now: Instant) {
        let unanswered = |attempt: &UnderWay| attempt.joined_at.is_some_and(|at| at <= now);
        while let Some(id) = self
            .under_way
            .iter()
            .find(|attempt| unanswered(attempt))
            .map(|attempt| attempt.id)
        {
            self.will_not_be_joined(id);
            self.join(id);
        }
    }

    fn join(&mut self, fast: Id) {
        self.due.push_back(Plan {
            address: self.attempts[fast].address,
            syn: PlannedSyn::Plain(Outcome::SynLost),
            plain_after: None,
        });
    }

    /// Whether it was to be joined until now.
    fn will_not_be_joined(&mut self, id: Id) -> bool {
        self.under_way
            .iter_mut()
            .find(|attempt| attempt.id == id)
            .is_some_and(|attempt| attempt.joined_at.take().is_some())
    }

    fn wake_up(&self) -> Option<Instant> {
        let next_address = (!self.waiting.is_empty()).then_some(self.next_address_at);
        let joins = self
            .under_way
            .iter()
            .flat_map(|attempt| [attempt.joined_at, attempt.until])
            .flatten();
        joins.chain(next_address).chain(self.deadline).min()
    }

    fn begin(&mut self, plan: Plan, now: Instant) -> Id {
        let id = self.attempts.len();
        let fast = plan.syn == PlannedSyn::Fast;
        self.attempts.push(Attempt {
            address: plan.address,
            syn: if fast { Syn::Fast { bytes: 0 } } else { Syn::Plain },
            started: now.saturating_duration_since(self.began),
            elapsed: Duration::ZERO,
            end: AttemptEnd::Unanswered,
        });
        let joined_at = plan.plain_after.filter(|_| fast).map(|delay| later(now, delay));
        let until = self.settings.attempt_timeout.map(|timeout| later(now, timeout));
        self.under_way.push_back(UnderWay { id, joined_at, until });
        id
    }

    fn end(&mut self, id: Id, end: AttemptEnd, now: Instant) {
        self.under_way.retain(|attempt| attempt.id != id);
        let attempt = &mut self.attempts[id];
        attempt.end = end;
        attempt.elapsed = now
            .saturating_duration_since(self.began)
            .saturating_sub(attempt.started);
    }
}

/// `now + delay`, or practically never where the clock does not reach so far.
fn later(now: Instant, delay: Duration) -> Instant {
    const A_LONG_TIME: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now.checked_add(delay).unwrap_or_else(|| now + A_LONG_TIME)
}

#[cfg(test)]
#[path = "race_tests.rs"]
mod tests;
