//! Everything away.

use super::conversation::{Conversation, End};

/// Reads until the client has said all it has to say.
pub(super) async fn talk(conversation: &mut Conversation) -> Result<(), End> {
    let mut buffer = vec![0; 64 * 1024];
    while conversation.read(&mut buffer).await? > 0 {}
    conversation.finish().await
}
