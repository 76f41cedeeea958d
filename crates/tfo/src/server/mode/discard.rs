//! Everything is read, and nothing is sent (RFC 863).

use super::super::conversation::{Conversation, End};

/// Reads until the client closes its side.
pub(super) async fn serve(conversation: &mut Conversation) -> Result<(), End> {
    let mut buffer = vec![0; 64 * 1024];
    while conversation.read(&mut buffer).await? > 0 {}
    conversation.finish().await
}
