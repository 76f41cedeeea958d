//! What the server does with the bytes that it receives.

mod discard;
mod echo;
mod http;

use serde::Serialize;

use super::conversation::{Conversation, End};
use super::report::Arrived;

/// What the server does with the bytes that it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Echo,
    Discard,
    Http,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Discard => "discard",
            Self::Http => "http",
        }
    }

    /// Serves the client until both sides have closed.
    pub(super) async fn serve(self, conversation: &mut Conversation, arrived: &Arrived) -> Result<(), End> {
        match self {
            Self::Echo => echo::serve(conversation).await,
            Self::Discard => discard::serve(conversation).await,
            Self::Http => http::serve(conversation, arrived).await,
        }
    }
}
