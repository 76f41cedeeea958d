//! The client's end of an accepted connection, as the requests on it see it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Confirmation;
use crate::arrival::Arrival;
use crate::sys::AsFd;

/// Who is at the other end of an accepted connection, how it arrived, and whether the client has proved its address.
///
/// For servers in which many requests share a connection. A clone is another handle to the same connection.
///
/// A connection that is confirmed already, as every ordinary one is, costs neither a descriptor nor a task. For one that is not, a task
/// of the runtime waits with a [`Confirmation`], whether or not anybody asks. It ends when the kernel has confirmed or given up, or when
/// the last clone is dropped. Until then the client sees an open connection, also when the stream has been dropped; after that a `Peer`
/// that is kept holds neither.
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
    proof: Proof,
    /// Of a protocol above TCP in which the first bytes can be replayed as well.
    handshake: Option<watch::Receiver<bool>>,
}

#[derive(Debug)]
enum Proof {
    Settled(Result<(), Failure>),
    Awaited(Watch),
}

/// The task that waits; what comes of it is for everybody who asks.
#[derive(Debug)]
struct Watch {
    result: watch::Receiver<Option<Result<(), Failure>>>,
    task: AbortHandle,
}

/// An [`io::Error`] that can be told many times.
#[derive(Clone, Debug)]
struct Failure(io::ErrorKind, String);

impl Peer {
    /// Looks at an accepted connection. To be called once, and early: see [`Arrival::of`].
    ///
    /// What goes wrong is kept for those who ask: [`arrival`](Self::arrival) is `None`, and [`confirmed`](Self::confirmed) fails.
    ///
    /// # Panics
    /// If the connection is not confirmed yet and this is called outside of a tokio runtime with I/O and time enabled.
    pub fn of(stream: &impl AsFd, address: SocketAddr) -> Self {
        Self::new(stream, address, None)
    }

    /// One that is confirmed when that handshake is complete as well.
    pub(crate) fn new(
        stream: &impl AsFd,
        address: SocketAddr,
        handshake: Option<watch::Receiver<bool>>,
    ) -> Self {
        let proof = match Confirmation::new(stream) {
            Ok(confirmation) if confirmation.is_confirmed() => Proof::Settled(Ok(())),
            Ok(confirmation) => Proof::Awaited(Watch::new(confirmation)),
            // Where the system has no Fast Open for servers the handshake is complete before anything is accepted.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Proof::Settled(Ok(())),
            Err(error) => Proof::Settled(Err(error.into())),
        };
        Self(Arc::new(Inner {
            address,
            arrival: Arrival::of(stream).ok(),
            proof,
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
        match &self.0.proof {
            Proof::Settled(result) => result.clone()?,
            Proof::Awaited(watch) => watch.result().await?,
        }
        if let Some(handshake) = &self.0.handshake {
            let complete = handshake.clone().wait_for(|complete| *complete).await.is_ok();
            if !complete {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the connection ended before its handshake was complete",
                ));
            }
        }
        Ok(())
    }
}

impl Watch {
    fn new(confirmation: Confirmation) -> Self {
        let (tell, result) = watch::channel(None);
        let task = tokio::spawn(async move {
            let result = confirmation.await.map_err(Failure::from);
            tell.send_replace(Some(result));
        });
        Self {
            result,
            task: task.abort_handle(),
        }
    }

    async fn result(&self) -> io::Result<()> {
        let mut result = self.result.clone();
        match result.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => Ok(result.clone()?),
            Ok(None) | Err(_) => Err(io::Error::other(
                "the runtime in which the connection was accepted has ended",
            )),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.kind(), error.to_string())
    }
}

impl From<Failure> for io::Error {
    fn from(Failure(kind, why): Failure) -> Self {
        Self::new(kind, why)
    }
}
