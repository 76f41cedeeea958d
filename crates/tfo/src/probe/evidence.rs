//! What probing one address has shown so far. Everything that is said of it is drawn from here.

use fastopen::Outcome;
use fastopen_host::connecting::IcmpError;
use fastopen_wire::{Connection, Cookie, FastOpen, OptionKind};

use super::icmp::Rejection;
use crate::local_error::LocalError;
use crate::own_server::OwnServer;
use crate::timed::{Answer, Failure, Made, Way};

/// What probing one address has shown so far.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) machine: Machine,
    /// Whether the address belongs to this machine, so that there is no path.
    pub(super) local: bool,
    /// In the order in which they were made.
    pub(super) trials: Vec<Trial>,
    /// What was looked at where the trials alone leave several causes possible.
    pub(super) checks: Checks,
}

/// What was looked at where the trials alone leave several causes possible: each is nothing where it was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checks {
    /// Whether data in a SYN without a cookie was accepted.
    pub(super) taken_without_cookie: Option<bool>,
    /// Whether a connection with small segments fared better than those before it.
    pub(super) small_segments_help: Option<bool>,
    /// What answered a SYN where earlier ones failed at once or were lost, for plain ones and for fast ones.
    pub(super) plain_failure: Option<Reply>,
    pub(super) fast_failure: Option<Reply>,
    /// Of an address of this machine: its listener and its settings.
    pub(super) own_server: Option<OwnServer>,
}

/// What answered the SYN of a connection that did not come about, or only with a second SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// An ICMP error came.
    Icmp(Rejection),
    /// A RST came.
    Reset,
    /// No SYN left this machine.
    Here,
    /// Nothing did, not even an ICMP error that the kernel kept from the program.
    Nothing,
}

impl Evidence {
    pub(super) fn new(machine: Machine, local: bool) -> Self {
        Self {
            machine,
            local,
            trials: Vec::new(),
            checks: Checks::default(),
        }
    }

    pub(super) fn plain(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| !trial.is_fast())
    }

    pub(super) fn fast(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| trial.is_fast())
    }

    /// Whether the server ends plain connections without an answer, all of them: then it may end fast ones in the same way.
    pub(super) fn ends_without_answer(&self) -> bool {
        let mut made = self.plain().filter_map(Trial::made).peekable();
        made.peek().is_some() && made.all(|made| matches!(made.answer, Answer::Closed | Answer::Reset))
    }

    /// Why this system made no attempt, the last time that it did not.
    pub(super) fn local_error(&self) -> Option<LocalError> {
        let failures = self
            .trials
            .iter()
            .rev()
            .filter_map(|trial| trial.result.as_ref().err());
        failures.into_iter().find_map(|failure| match failure {
            Failure::Here(why, _) => Some(*why),
            _ => None,
        })
    }

    /// The ICMP error that answers fast SYNs. What this machine's own firewall keeps from the kernel may be seen among the packets.
    pub(super) fn fast_rejection(&self) -> Option<Rejection> {
        let lost = self.fast().filter(|trial| trial.lost_its_syn());
        let seen = lost.filter_map(|trial| {
            let Seen { connection, icmp, .. } = trial.wire.as_ref()?;
            let (target, own) = (connection.server.ip(), connection.client.ip());
            icmp.map(|icmp| Rejection::new(icmp, target, Some(own)))
        });
        match self.checks.fast_failure {
            Some(Reply::Icmp(rejection)) => Some(rejection),
            _ => seen.last(),
        }
    }

    /// The ICMP error that answers plain SYNs.
    pub(super) fn plain_rejection(&self) -> Option<Rejection> {
        match self.checks.plain_failure {
            Some(Reply::Icmp(rejection)) => Some(rejection),
            _ => None,
        }
    }

    /// Whether no plain connection is ever answered, and each was waited for.
    pub(super) fn is_silent_to_plain(&self) -> bool {
        let mut made = self.plain().filter(|trial| trial.made().is_some()).peekable();
        made.peek().is_some() && made.all(Trial::was_silent)
    }
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
    pub(super) wire: Option<Seen>,
}

#[cfg(test)]
impl Trial {
    /// A plain one of which nothing else is known.
    pub(super) fn plain(result: Result<Made, Failure>) -> Self {
        Self {
            way: Way::Plain,
            result,
            before: Cached::Unknown,
            after: Cached::Unknown,
            wire: None,
        }
    }
}

/// The packets of a connection.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) connection: Connection,
    pub(super) syn_ack: Option<SynAckLook>,
    /// The hop limit of the server's first packet after it, a RST not counted.
    pub(super) later_hop_limit: Option<u8>,
    /// That of its RST.
    pub(super) reset_hop_limit: Option<u8>,
    /// An ICMP error that answered its SYN.
    pub(super) icmp: Option<IcmpError>,
}

/// What tells the maker of a SYN-ACK, Fast Open left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SynAckLook {
    pub(super) hop_limit: u8,
    pub(super) window: u16,
    /// The options but for Fast Open, padding and the timestamp's content.
    pub(super) options: Vec<u8>,
    /// The sender's timestamp.
    pub(super) timestamp: Option<u32>,
}

impl SynAckLook {
    /// Whether two of them look as if one host had made both.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.hop_limit, &self.options) == (other.hop_limit, &other.options)
    }
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
    /// Not known.
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

    /// Whether the application received something: bytes, or an orderly end.
    pub(super) fn was_heard(&self) -> bool {
        self.made()
            .is_some_and(|made| matches!(made.answer, Answer::Bytes(_) | Answer::Closed))
    }

    pub(super) fn was_silent(&self) -> bool {
        self.made().is_some_and(|made| made.answer == Answer::Silent)
    }

    /// Whether there was no connection, and something said so before the time was up.
    pub(super) fn failed_at_once(&self) -> bool {
        self.result
            .as_ref()
            .is_err_and(|failure| *failure != Failure::Unanswered)
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

    /// Whether the SYN left without the data although there is a cookie: the kernel leaves it out where no SYN with data gets out.
    pub(super) fn kept_its_data_back(&self) -> bool {
        let knows_cookie = self.before.cookie().is_some();
        let bare = |made: &Made| made.syn_bytes == 0 && made.outcome == Outcome::Unknown;
        self.is_fast() && knows_cookie && self.made().is_some_and(bare)
    }

    /// Whether data in the SYN was not taken by the SYN-ACK.
    pub(super) fn was_ignored(&self) -> bool {
        self.carried_data() && self.outcome() == Some(Outcome::Ignored)
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

    /// The option's number in the SYN that asked for a cookie, if that was seen.
    pub(super) fn request_kind(&self) -> Option<OptionKind> {
        match self.wire.as_ref()?.connection.syn?.fast_open {
            FastOpen::Request(kind) => Some(kind),
            _ => None,
        }
    }

    /// The cookie presented, and the one that came back, if both packets were seen.
    fn wire_cookies(&self) -> Option<(Cookie, Option<Cookie>)> {
        let wire = &self.wire.as_ref()?.connection;
        let cookie = |fast_open| match fast_open {
            FastOpen::Cookie(_, cookie) => Some(cookie),
            _ => None,
        };
        let presented = cookie(wire.syn?.fast_open)?;
        Some((presented, cookie(wire.syn_ack?.fast_open)))
    }
}
