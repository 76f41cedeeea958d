//! Everything is sent back (RFC 862).

use super::super::conversation::{Conversation, End};

/// Sends back what it receives, until the client closes its side.
pub(super) async fn serve(conversation: &mut Conversation) -> Result<(), End> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match conversation.read(&mut buffer).await? {
            0 => return conversation.finish().await,
            n => conversation.write_all(&buffer[..n]).await?,
        }
    }
}
