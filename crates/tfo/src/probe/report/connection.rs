//! All that was found out of one connection.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::local_error::LocalError;
use crate::probe::evidence::{Cached, Trial};
use crate::timed::{Answer, Failure, Made, Way};
use crate::units;

/// One connection.
#[derive(Clone, Debug, Serialize)]
pub(in crate::probe) struct ConnectionReport {
    #[serde(serialize_with = "way_name")]
    pub(in crate::probe) way: Way,
    /// What became of the first bytes; nothing without a connection.
    pub(in crate::probe) outcome: Option<&'static str>,
    pub(in crate::probe) end: End,
    pub(in crate::probe) syn_bytes: usize,
    pub(in crate::probe) syn_repeated: Option<bool>,
    #[serde(rename = "connect_ms", serialize_with = "milliseconds")]
    pub(in crate::probe) connect: Option<Duration>,
    #[serde(rename = "first_byte_ms", serialize_with = "milliseconds")]
    pub(in crate::probe) first_byte: Option<Duration>,
    /// The kernel's cookie before and after, shortened.
    pub(in crate::probe) cookie_before: Option<String>,
    pub(in crate::probe) cookie_after: Option<String>,
    /// The verdict on its packets, where they were seen.
    pub(in crate::probe) packets: Option<&'static str>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::probe) enum End {
    Answered,
    Closed,
    Reset,
    Silent,
    Refused,
    Unanswered,
    NoRoute,
    NotPermitted,
    NotPossible,
}

impl From<&Trial> for ConnectionReport {
    fn from(trial: &Trial) -> Self {
        let made = trial.made();
        Self {
            way: trial.way,
            outcome: made.map(|made| made.outcome.name()),
            end: End::of(trial),
            syn_bytes: made.map_or(0, |made| made.syn_bytes),
            syn_repeated: made.and_then(|made| made.syn_repeated),
            connect: made.map(|made| made.connect),
            first_byte: made.and_then(Made::first_byte),
            cookie_before: shortened(trial.before),
            cookie_after: shortened(trial.after),
            packets: trial.wire.as_ref().map(|seen| seen.connection.verdict.as_str()),
        }
    }
}

impl End {
    fn of(trial: &Trial) -> Self {
        match &trial.result {
            Ok(made) => match made.answer {
                Answer::Bytes(_) => Self::Answered,
                Answer::Closed => Self::Closed,
                Answer::Reset => Self::Reset,
                Answer::Silent => Self::Silent,
            },
            Err(Failure::Refused) => Self::Refused,
            Err(Failure::Unanswered) => Self::Unanswered,
            Err(Failure::NoRoute) => Self::NoRoute,
            Err(Failure::Here(LocalError::Prohibited | LocalError::Forbidden, _)) => Self::NotPermitted,
            Err(Failure::Here(..)) => Self::NotPossible,
        }
    }
}

pub(super) fn shortened(cached: Cached) -> Option<String> {
    cached.cookie().map(|cookie| cookie.to_string())
}

pub(super) fn way_name<S: Serializer>(way: &Way, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match way {
        Way::Plain => "plain",
        Way::Fast => "fast",
    })
}

pub(super) fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(units::milliseconds).serialize(serializer)
}
