//! The client's end of an accepted connection, as the requests on it see it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, watch};

use super::Confirmation;
use crate::arrival::Arrival;

/// Who is at the other end of an accepted connection, how it arrived, and whether the client has proved its address.
///
/// For servers in which many requests share a connection. A clone is another handle to the same connection; like a
/// [`Confirmation`], one that is kept when the stream has been dropped keeps the connection open until it is confirmed or fails.
///
/// # Examples
/// ```
/// use fastopen::for_tokio::Peer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
/// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (stream, address) = listener.accept().await?;
/// let peer = Peer::of(&stream, address);
/// println!("{}: {}", peer.address(), peer.arrival().expect("this is Linux"));
/// // Replay-safe work can be done here.
/// peer.confirmed().await?;
/// // And here everything else.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Peer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    arrival: Option<Arrival>,
    /// So that nobody has to wait for the lock once it is settled.
    confirmed: AtomicBool,
    confirmation: Mutex<State>,
    /// Of a protocol above TCP in which the first bytes can be replayed as well.
    handshake: Option<watch::Receiver<bool>>,
}

#[derive(Debug)]
enum State {
    Waiting(Confirmation),
    Confirmed,
    Failed(io::ErrorKind, String),
}

impl Peer {
    /// Looks at an accepted connection. To be called once, and early: see [`Arrival::of`].
    ///
    /// What goes wrong is kept for those who ask: [`arrival`](Self::arrival) is `None`, and [`confirmed`](Self::confirmed) fails.
    pub fn of(stream: &impl AsFd, address: SocketAddr) -> Self {
        Self::new(stream, address, None)
    }

    /// One that is confirmed when that handshake is complete as well.
    pub(crate) fn new(
        stream: &impl AsFd,
        address: SocketAddr,
        handshake: Option<watch::Receiver<bool>>,
    ) -> Self {
        let state = match Confirmation::new(stream) {
            Ok(confirmation) if confirmation.is_confirmed() => State::Confirmed,
            Ok(confirmation) => State::Waiting(confirmation),
            // Where the system has no Fast Open for servers the handshake is complete before anything is accepted.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => State::Confirmed,
            Err(error) => State::Failed(error.kind(), error.to_string()),
        };
        Self(Arc::new(Inner {
            address,
            arrival: Arrival::of(stream).ok(),
            confirmed: AtomicBool::new(matches!(state, State::Confirmed) && handshake.is_none()),
            confirmation: Mutex::new(state),
            handshake,
        }))
    }

    /// The client's address.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// How the connection arrived; `None` where the system does not tell.
    pub fn arrival(&self) -> Option<&Arrival> {
        self.0.arrival.as_ref()
    }

    /// Waits until the client has proved its address: see [`confirmed`](crate::confirmed). Any number of requests can wait.
    ///
    /// # Errors
    /// As for a [`Confirmation`]; once it has failed it always does.
    pub async fn confirmed(&self) -> io::Result<()> {
        if self.0.confirmed.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut state = self.0.confirmation.lock().await;
        if let State::Waiting(confirmation) = &mut *state {
            *state = match confirmation.await {
                Ok(()) => State::Confirmed,
                Err(error) => State::Failed(error.kind(), error.to_string()),
            };
        }
        match &*state {
            State::Failed(kind, why) => return Err(io::Error::new(*kind, why.clone())),
            State::Confirmed | State::Waiting(_) => {}
        }
        drop(state);
        if let Some(handshake) = &self.0.handshake {
            let complete = handshake.clone().wait_for(|complete| *complete).await.is_ok();
            if !complete {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the connection ended before its handshake was complete",
                ));
            }
        }
        self.0.confirmed.store(true, Ordering::Release);
        Ok(())
    }
}
