//! What probing one address has shown so far. Everything that is said of it is drawn from here.

use fastopen::Outcome;
use fastopen_wire::{Connection, Cookie, FastOpen};

use crate::exchange::{Answer, Failure, Made, Way};

/// What probing one address has shown so far.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) machine: Machine,
    /// Whether the address belongs to this machine, so that there is no path.
    pub(super) local: bool,
    /// In the order in which they were made.
    pub(super) trials: Vec<Trial>,
}

/// This machine's readiness as a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Ready,
    /// It is switched on to send data although there is no cookie (bit 0x4).
    SendsWithoutCookie,
    /// The client bit is off.
    SwitchedOff,
    /// This kernel has no Fast Open.
    Incapable,
    /// It does not tell.
    Unknown,
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) way: Way,
    pub(super) result: Result<Made, Failure>,
    /// The kernel's cookie for the address, before and after.
    pub(super) before: Cached,
    pub(super) after: Cached,
    /// What was seen on the wire, where that may be looked at.
    pub(super) wire: Option<Connection>,
}

/// The kernel's cookie for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cached {
    Unknown,
    Nothing,
    Cookie(Cookie),
}

impl Cached {
    pub(super) fn cookie(self) -> Option<Cookie> {
        match self {
            Self::Cookie(cookie) => Some(cookie),
            Self::Unknown | Self::Nothing => None,
        }
    }
}

/// What a SYN-ACK that took none of the data said of the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// It brought another cookie than was presented.
    Another,
    /// It brought the one that was presented (seen on the wire).
    TheSame,
    /// It brought none (seen on the wire).
    None,
    /// It brought none or the same: the kernel's cookie is what it was.
    NotAnother,
    /// There is no telling.
    Unknown,
}

impl Trial {
    /// The connection, if there is one.
    pub(super) fn made(&self) -> Option<&Made> {
        self.result.as_ref().ok()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.made().map(|made| made.outcome)
    }

    pub(super) fn is_fast(&self) -> bool {
        self.way == Way::Fast
    }

    /// Whether the application heard from the server: bytes, or an orderly end.
    pub(super) fn was_heard(&self) -> bool {
        self.made()
            .is_some_and(|made| matches!(made.answer, Answer::Bytes(_) | Answer::Closed))
    }

    pub(super) fn was_silent(&self) -> bool {
        self.made().is_some_and(|made| made.answer == Answer::Silent)
    }

    /// Whether a RST was the answer, to the SYN or after the handshake.
    pub(super) fn was_reset(&self) -> bool {
        match &self.result {
            Ok(made) => made.answer == Answer::Reset,
            Err(failure) => *failure == Failure::Refused,
        }
    }

    /// Whether a RST ended the connection after its handshake.
    pub(super) fn was_cut_off(&self) -> bool {
        self.made().is_some_and(|made| made.answer == Answer::Reset)
    }

    /// Whether the first SYN was lost, or its answer was.
    pub(super) fn lost_its_syn(&self) -> bool {
        match &self.result {
            Ok(made) => made.outcome == Outcome::SynLost || made.syn_repeated == Some(true),
            Err(failure) => *failure == Failure::Unanswered,
        }
    }

    /// Whether the SYN carried data, as far as is known: with a connection the kernel says so, without one the cookie decides.
    pub(super) fn carried_data(&self) -> bool {
        self.is_fast()
            && match &self.result {
                Ok(made) => {
                    made.syn_bytes > 0
                        || matches!(
                            made.outcome,
                            Outcome::Accepted | Outcome::Ignored | Outcome::SynLost
                        )
                }
                Err(_) => self.before.cookie().is_some(),
            }
    }

    /// Whether the SYN asked for a cookie.
    pub(super) fn requested(&self) -> bool {
        self.is_fast()
            && match &self.result {
                Ok(made) => made.outcome == Outcome::NoCookie && made.syn_bytes == 0,
                Err(_) => self.before == Cached::Nothing,
            }
    }

    /// The cookie that was granted although there was none before.
    pub(super) fn granted(&self) -> Option<Cookie> {
        match (self.before, self.after) {
            (Cached::Nothing, Cached::Cookie(cookie)) => Some(cookie),
            _ => None,
        }
    }

    /// What the answer to data that was not taken said of the cookie.
    pub(super) fn grant(&self) -> Grant {
        match (self.wire_cookies(), self.before, self.after) {
            (Some((presented, Some(granted))), ..) if presented == granted => Grant::TheSame,
            (Some((_, Some(_))), ..) => Grant::Another,
            (Some((_, None)), ..) => Grant::None,
            (None, Cached::Cookie(before), Cached::Cookie(after)) if before == after => Grant::NotAnother,
            (None, Cached::Cookie(_), Cached::Cookie(_)) => Grant::Another,
            _ => Grant::Unknown,
        }
    }

    /// The cookie presented, and the one that came back, if both packets were seen.
    fn wire_cookies(&self) -> Option<(Cookie, Option<Cookie>)> {
        let wire = self.wire.as_ref()?;
        let cookie = |fast_open| match fast_open {
            FastOpen::Cookie(_, cookie) => Some(cookie),
            _ => None,
        };
        let presented = cookie(wire.syn?.fast_open)?;
        Some((presented, cookie(wire.syn_ack?.fast_open)))
    }
}
