//! Readiness that has been seen and was not what is awaited.

use std::io;

use tokio::io::Interest;
use tokio::net::TcpStream;

/// Makes the runtime wait for the next event, though the last one said that the stream can be written to.
pub(super) fn forget_write_readiness(stream: &TcpStream) {
    let not_what_is_awaited = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    // The answer is the error given; what counts is that the runtime takes note of it.
    let _ = stream.try_io(Interest::WRITABLE, not_what_is_awaited);
}
