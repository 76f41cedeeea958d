//! What the server does with the bytes it gets.

use serde::Serialize;

use super::conversation::{Conversation, End};
use super::report::Arrived;
use super::{discard, echo, http};

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

    /// Talks with one client until there is nothing more to say.
    pub(super) async fn talk(self, conversation: &mut Conversation, arrived: &Arrived) -> Result<(), End> {
        match self {
            Self::Echo => echo::talk(conversation).await,
            Self::Discard => discard::talk(conversation).await,
            Self::Http => http::talk(conversation, arrived).await,
        }
    }
}
