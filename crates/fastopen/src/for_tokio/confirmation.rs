//! Waiting for the client's proof, with tokio.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::readiness::forget_write_readiness;
use crate::confirm::{is_confirmed, look_again_after};
use crate::sys::{AsFd, is_nonblocking};

/// The client's proof that it is where it says, as a future: see [`confirmed`](crate::confirmed).
///
/// It watches the socket through a descriptor of its own, so reading, writing and splitting the stream go on undisturbed meanwhile, also in
/// other tasks. It gives that descriptor up when it is ready or dropped; until then the client sees an open connection, also when the
/// stream has been dropped. So await it or drop it: one that is kept and never polled keeps the connection open. To keep one, give
/// it to a task, which polls it (`tokio::spawn`), or keep a [`Peer`](super::Peer).
///
/// # Examples
/// ```
/// use fastopen::for_tokio::Confirmation;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
/// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (stream, _) = listener.accept().await?;
/// let confirmation = Confirmation::new(&stream)?;
/// // Replay-safe work can be done here.
/// confirmation.await?;
/// // And here everything else.
/// # Ok(())
/// # }
/// ```
///
/// With a time limit, as [`confirmed_within`](crate::confirmed_within) has it:
/// ```
/// use std::time::Duration;
///
/// use fastopen::for_tokio::Confirmation;
/// use tokio::time::timeout;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
/// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// # let (stream, _) = listener.accept().await?;
/// // The first `?` is for a time-out, and gives an error of the kind `TimedOut`.
/// timeout(Duration::from_secs(5), Confirmation::new(&stream)?).await??;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Confirmation(State);

#[derive(Debug)]
enum State {
    Confirmed,
    Waiting {
        stream: TcpStream,
        look_again: Pin<Box<Sleep>>,
    },
}

impl Confirmation {
    /// Begins to watch an accepted connection. One that is confirmed already costs one system call and no descriptor.
    ///
    /// # Errors
    /// As for [`confirmed`](crate::confirmed); also for a blocking socket, and when there is no descriptor to be had.
    pub fn new(stream: &impl AsFd) -> io::Result<Self> {
        let socket = stream.as_fd();
        if is_confirmed(socket)? {
            return Ok(Self(State::Confirmed));
        }
        if !is_nonblocking(socket)? {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "tokio can't wait for a blocking socket: set it to non-blocking, or use fastopen::confirmed",
            ));
        }
        let look_again = Box::pin(sleep(look_again_after(socket)?));
        let stream = TcpStream::from_std(socket.try_clone_to_owned()?.into())?;
        Ok(Self(State::Waiting { stream, look_again }))
    }

    /// Whether there is nothing to wait for.
    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.0, State::Confirmed)
    }
}

impl Future for Confirmation {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let State::Waiting { stream, look_again } = &mut self.0 else {
            return Poll::Ready(Ok(()));
        };
        loop {
            // Asks to be woken before it looks, so that a change in between is not missed.
            while stream.poll_write_ready(cx)?.is_ready() {
                forget_write_readiness(stream);
            }
            if is_confirmed(stream.as_fd())? {
                self.0 = State::Confirmed;
                return Poll::Ready(Ok(()));
            }
            ready!(look_again.as_mut().poll(cx));
            look_again
                .as_mut()
                .reset(Instant::now() + look_again_after(stream.as_fd())?);
        }
    }
}
