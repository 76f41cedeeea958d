//! Listening with tokio.

use tokio::net::{TcpListener, ToSocketAddrs, lookup_host};

use crate::listen::{ListenError, ListenOptions, Listening};

/// Listens with Fast Open: [`ListenOptions::listen_tokio`] with the usual settings, and without its warnings.
///
/// # Errors
/// [`ListenError`] names the address and the call. It converts to [`std::io::Error`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
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
