//! Connecting, listening and confirmation with tokio.
//!
//! The streams and listeners are tokio's own. Everything here must be called within a runtime that has I/O and time enabled.

mod confirmation;
mod connect;

pub use confirmation::Confirmation;
pub use connect::connect;

use std::io;

use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs, lookup_host};

use crate::error::ListenError;
use crate::listen::{ListenOptions, Listening};

/// Listens with Fast Open: [`ListenOptions::listen_tokio`] with the usual settings, and without its warnings.
///
/// # Errors
/// [`ListenError`] names the address and the call. It converts to [`std::io::Error`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = fastopen::tokio::listen("127.0.0.1:0").await?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(())
/// # }
/// ```
pub async fn listen(address: impl ToSocketAddrs) -> Result<TcpListener, ListenError> {
    ListenOptions::new()
        .listen_tokio(address)
        .await
        .map(|listening| listening.listener)
}

impl ListenOptions {
    /// Listens as [`listen`](Self::listen) does, for tokio.
    ///
    /// # Errors
    /// [`ListenError`] names the last address tried and the call that failed.
    pub async fn listen_tokio(
        &self,
        address: impl ToSocketAddrs,
    ) -> Result<Listening<TcpListener>, ListenError> {
        let addresses = lookup_host(address).await.map_err(ListenError::Resolve)?;
        let Listening { listener, warnings } = self.listen_on_first(addresses)?;
        listener.set_nonblocking(true).map_err(ListenError::Runtime)?;
        let listener = TcpListener::from_std(listener).map_err(ListenError::Runtime)?;
        Ok(Listening { listener, warnings })
    }
}

/// Makes the runtime wait for the next event, though the last one said that the stream can be written to.
fn forget_write_readiness(stream: &TcpStream) {
    let not_what_is_awaited = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    // The answer is the error given; what counts is that the runtime takes note of it.
    let _ = stream.try_io(Interest::WRITABLE, not_what_is_awaited);
}
