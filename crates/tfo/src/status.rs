//! How a command ends.

use std::process::ExitCode;

/// A command's answer, as its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0: it works, or what was asked is done.
    Works,
    /// 1: it doesn't.
    Fails,
    /// 2: wrong usage, or the system lacks something; the output says what to do.
    Unusable,
    /// 3: inconclusive.
    Inconclusive,
}

impl Status {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Works => 0,
            Self::Fails => 1,
            Self::Unusable => 2,
            Self::Inconclusive => 3,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}
