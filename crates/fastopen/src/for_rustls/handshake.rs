//! Completing a handshake whose early data the application is answering meanwhile.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::time::timeout;

use super::session::Shared;

/// Completes the handshake, whether or not anybody reads or writes, and also when the stream was dropped meanwhile: the client's last
/// message must not find a closed socket, whose reset would take the answer from it. What it reads until then is early data, which the
/// configuration's `max_early_data_size` bounds.
pub(super) async fn complete(shared: Arc<Shared>, limit: Duration) -> Result<()> {
    let completed = match timeout(limit, advance(&shared)).await {
        Ok(completed) => completed,
        Err(_) => Err(timed_out(limit)),
    };
    let mut session = shared.lock();
    match &completed {
        Ok(()) => session.wake_all(),
        Err(error) => session.fail(error),
    }
    completed
}

/// The client did not complete its handshake in time.
pub(super) fn timed_out(limit: Duration) -> Error {
    let why = format!("the client has not completed its TLS handshake in {limit:?}");
    Error::new(ErrorKind::TimedOut, why)
}

async fn advance(shared: &Shared) -> Result<()> {
    loop {
        let interest = {
            let mut session = shared.lock();
            let mut sent = session.send(&shared.tcp);
            while session.tls.is_handshaking() {
                match session.receive(&shared.tcp) {
                    Ok(0) => {
                        let why = "the client closed the connection before its TLS handshake was complete";
                        return Err(Error::new(ErrorKind::UnexpectedEof, why));
                    }
                    Ok(_) => session.wake_all(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
                sent = session.send(&shared.tcp);
            }
            match sent {
                Ok(()) if !session.tls.is_handshaking() => return Ok(()),
                Ok(()) => Interest::READABLE,
                Err(error) if error.kind() == ErrorKind::WouldBlock && session.tls.is_handshaking() => {
                    Interest::READABLE | Interest::WRITABLE
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Interest::WRITABLE,
                Err(error) => return Err(error),
            }
        };
        shared.tcp.ready(interest).await?;
    }
}
