//! What the server does with the bytes it gets.

use serde::Serialize;

/// What the server does with the bytes it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Echo,
    Discard,
    Http,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Discard => "discard",
            Self::Http => "http",
        }
    }
}
