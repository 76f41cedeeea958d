//! One thing that was found out, how bad it is, and what mends it.

use fastopen_host::sysctl::Sysctl;
use serde::Serialize;

/// Where settings are kept that are to hold after the next boot.
pub(super) const SYSCTL_FILE: &str = "/etc/sysctl.d/60-fastopen.conf";

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    /// As it should be, or as somebody may well want it.
    Ok,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<Remedy>,
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
            remedy: None,
        }
    }

    pub(super) fn ok(id: &'static str, sentence: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(Level::Ok, id, sentence, reason)
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
    pub(super) fn mended_by(self, remedy: Remedy) -> Self {
        Self {
            remedy: Some(remedy),
            ..self
        }
    }
}

/// The setting that mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Remedy {
    /// The command, as a shell takes it.
    pub(super) command: String,
    /// What makes it hold after the next boot.
    pub(super) persist: Persist,
    /// Whether `--fix` does it.
    pub(super) automatic: bool,
    #[serde(skip)]
    pub(super) sysctl: Sysctl,
    #[serde(skip)]
    pub(super) value: String,
}

/// A line for a file that is read at every boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Persist {
    pub(super) file: &'static str,
    pub(super) line: String,
}

impl Remedy {
    /// A setting that `--fix` changes.
    pub(super) fn automatic(sysctl: Sysctl, value: impl ToString) -> Self {
        Self {
            automatic: true,
            ..Self::by_hand(sysctl, value)
        }
    }

    /// A setting that somebody chose, and that is theirs to change.
    pub(super) fn by_hand(sysctl: Sysctl, value: impl ToString) -> Self {
        let value = value.to_string();
        Self {
            command: format!("sudo sysctl -w {sysctl}={value}"),
            persist: Persist {
                file: SYSCTL_FILE,
                line: format!("{sysctl} = {value}"),
            },
            automatic: false,
            sysctl,
            value,
        }
    }
}
