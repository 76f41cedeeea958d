//! One thing that was found out, how bad it is, and what fixes it.

use fastopen_host::sysctl::Sysctl;
use serde::Serialize;

use super::place::{Persist, Place};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Not at fault, but with consequences to know about.
    Note,
    /// Fast Open works, but not everywhere or not for everybody; or something could not be found out.
    Warning,
    /// Something that is meant to use Fast Open can't.
    Problem,
}

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) id: &'static str,
    pub(super) level: Level,
    /// What is so.
    pub(super) sentence: String,
    /// What it means, or why it is so.
    pub(super) reason: String,
    /// What can be done where no setting of the kernel alone fixes it.
    pub(super) advice: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<Fix>,
}

impl Finding {
    pub(super) fn new(
        level: Level,
        id: &'static str,
        sentence: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            id,
            level,
            sentence: sentence.into(),
            reason: reason.into(),
            advice: Vec::new(),
            fix: None,
        }
    }

    pub(super) fn ok(id: &'static str, sentence: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Level::Ok, id, sentence, reason)
    }

    pub(super) fn note(id: &'static str, sentence: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Level::Note, id, sentence, reason)
    }

    pub(super) fn warning(id: &'static str, sentence: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Level::Warning, id, sentence, reason)
    }

    pub(super) fn problem(id: &'static str, sentence: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Level::Problem, id, sentence, reason)
    }

    /// Something that could not be found out.
    pub(super) fn unknown(id: &'static str, what: &str, error: &str) -> Self {
        Self::warning(id, format!("{what} could not be read."), error)
    }

    #[must_use]
    pub(super) fn with_fix(self, fix: Fix) -> Self {
        Self {
            fix: Some(fix),
            ..self
        }
    }

    #[must_use]
    pub(super) fn with_advice(self, advice: impl IntoIterator<Item = String>) -> Self {
        Self {
            advice: advice.into_iter().collect(),
            ..self
        }
    }
}

/// The setting that fixes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fix {
    /// The command, as a shell takes it.
    pub(super) command: String,
    /// Where the setting is kept so that it lasts.
    pub(super) persist: Vec<Persist>,
    /// Whether `--fix` does it.
    pub(super) automatic: bool,
    #[serde(skip)]
    pub(super) sysctl: Sysctl,
    #[serde(skip)]
    pub(super) value: String,
}

impl Fix {
    /// A setting that `--fix` changes.
    pub(super) fn automatic(place: Place, sysctl: Sysctl, value: impl ToString) -> Self {
        Self {
            automatic: true,
            ..Self::by_hand(place, sysctl, value)
        }
    }

    /// A setting that the administrator chose, or has to choose.
    pub(super) fn by_hand(place: Place, sysctl: Sysctl, value: impl ToString) -> Self {
        let value = value.to_string();
        Self {
            command: format!("{}sysctl -w {sysctl}={value}", place.sudo()),
            persist: place.persist(&sysctl.to_string(), &value),
            automatic: false,
            sysctl,
            value,
        }
    }
}
