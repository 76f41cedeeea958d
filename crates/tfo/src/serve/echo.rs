//! Everything back.

use super::conversation::{Conversation, End};

/// Sends back what comes until the client has said all it has to say, and then says so too.
pub(super) async fn talk(conversation: &mut Conversation) -> Result<(), End> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match conversation.read(&mut buffer).await? {
            0 => return conversation.finish().await,
            n => conversation.write_all(&buffer[..n]).await?,
        }
    }
}
