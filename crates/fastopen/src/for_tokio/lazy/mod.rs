//! A stream that connects when it is first written to.

mod cut_short;
mod first_flight;
mod io;
mod report;
mod silence;

pub use report::ConnectReport;

use std::fmt;
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::net::TcpStream;

use self::cut_short::CutShort;
use self::silence::Silence;
use super::wakers::{Side, Wakers};
use crate::connect::{ConnectError, Connected, Connector, Destination, ToDestination};
use crate::replay_safe::ReplaySafe;

/// A stream that connects when it is first written to, and sends what is written first in the SYN.
///
/// For code that asks for a connection before it knows its first bytes: TLS libraries, HTTP clients, database drivers. Where the first
/// bytes are at hand [`connect`](crate::for_tokio::connect) is simpler, and its stream is an ordinary one.
///
/// - **The first write** connects with its bytes as [`Connector::connect_tokio`] does: racing, falling back, and remembering paths.
///   It is complete when they are in the kernel's hands, whatever path they took. A vectored write is gathered. No more than
///   [`FIRST_FLIGHT`](Self::FIRST_FLIGHT) bytes are taken, and the write says how many.
/// - **A read that comes first** connects to a server that speaks first, as [`connect_server_first`](super::connect_server_first)
///   does: with the cookie, and nothing that could be replayed. **A flush or a shutdown that comes first** makes an ordinary
///   handshake. A write without bytes does nothing.
/// - **A write that is given up** before it is complete may have been sent all the same. Writing the same bytes again reports them as
///   written; other bytes start over on another connection and the first is closed, as long as it hasn't come about. Once it has,
///   which only happens when something else waits as well, writing other bytes is an error.
/// - **A connection that dies after its handshake** is reported to the connector's [path memory](crate::PathMemory::report_dead): the
///   SYN's data was accepted and nothing was received afterwards. It is reported when a read or write fails with a time-out or because
///   the host or network is unreachable; and when the stream is dropped, if data had been sent again twice without an acknowledgement,
///   or if a read had waited for 200 ms and three round-trip times (1 s and three round-trip times where data was received from that
///   destination before).
/// - **Dropping it** closes whatever it had opened. Reading and writing may be left to two tasks, with `tokio::io::split`.
/// - **A server that answers and closes** before it has read everything has its answer read: until something is read, what a send
///   buffer can hold counts as written, as it does after an ordinary handshake, and the reset shows behind the answer.
/// - **A failure to connect** is the error of the call that waits for it, with the [`ConnectError`] inside. Every later call fails with
///   [`NotConnected`](ErrorKind::NotConnected).
///
/// # Examples
/// ```
/// use fastopen::Connector;
/// use fastopen::for_tokio::LazyStream;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # tokio::spawn(async move {
/// #     let (mut stream, _) = listener.accept().await?;
/// #     stream.read_exact(&mut [0; 6]).await?;
/// #     stream.write_all(b"PONG\r\n").await
/// # });
/// // Nothing happens yet.
/// let mut stream = LazyStream::replay_safe(Connector::new(), address);
/// stream.write_all(b"PING\r\n").await?;
/// println!("the first bytes were {}", stream.report().outcome().expect("it has connected"));
///
/// let mut answer = [0; 6];
/// stream.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"PONG\r\n");
/// # Ok(())
/// # }
/// ```
pub struct LazyStream {
    connector: Connector,
    destination: Result<Destination>,
    judge: Judge,
    report: ConnectReport,
    wakers: Arc<Wakers>,
    state: State,
    silence: Silence,
}

type Connecting =
    Pin<Box<dyn Future<Output = std::result::Result<Connected<TcpStream>, ConnectError>> + Send>>;
type Judge = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;
type FirstBytes = Arc<[u8]>;

enum State {
    Idle,
    Connecting {
        connecting: Connecting,
        first_bytes: FirstBytes,
    },
    Connected {
        stream: TcpStream,
        /// Sent, but no write has said so yet; empty afterwards.
        unreported: FirstBytes,
        cut_short: CutShort,
    },
    Failed(String),
}

impl LazyStream {
    /// The most bytes that are taken as the first: what a SYN carries at most on Linux.
    pub const FIRST_FLIGHT: usize = 32 * 1024;

    /// A stream to that address. **By calling this the caller says that the first write is [`ReplaySafe`]**, whatever it will be.
    ///
    /// The name is resolved when the stream connects.
    pub fn replay_safe(connector: Connector, address: impl ToDestination) -> Self {
        Self::judged(connector, address, |_| true)
    }

    /// A stream that asks `is_replay_safe` whether what is written first may travel in a SYN.
    ///
    /// The function sees at most [`FIRST_FLIGHT`](Self::FIRST_FLIGHT) bytes. When it says no they wait for an ordinary handshake.
    /// **By saying yes it says that they are [`ReplaySafe`].**
    pub fn judged(
        connector: Connector,
        address: impl ToDestination,
        is_replay_safe: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            silence: Silence::new(connector.memory().clone()),
            connector,
            destination: address.to_destination(),
            judge: Box::new(is_replay_safe),
            report: ConnectReport::default(),
            wakers: Arc::default(),
            state: State::Idle,
        }
    }

    /// How connecting went; a clone of it can stay behind when the stream is given away.
    pub fn report(&self) -> &ConnectReport {
        &self.report
    }

    /// The connection, if it has come about: for `peer_addr`, `set_nodelay` and the like.
    pub fn get_ref(&self) -> Option<&TcpStream> {
        match &self.state {
            State::Connected { stream, .. } => Some(stream),
            _ => None,
        }
    }

    /// Takes the connection out, with an ordinary handshake if nothing was written.
    ///
    /// Nothing watches it afterwards: a connection that dies is for the caller to [report](crate::PathMemory::report_dead).
    ///
    /// # Errors
    /// There is no connection: as for a read.
    pub async fn into_tcp_stream(mut self) -> Result<TcpStream> {
        std::future::poll_fn(|cx| self.poll_connected(cx, Side::Read).map_ok(|_| ())).await?;
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Connected { stream, .. } => Ok(stream),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Waits for the connection, with an ordinary handshake if nothing was written.
    fn poll_connected(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<Result<&mut TcpStream>> {
        if matches!(self.state, State::Idle) {
            self.start(FirstBytes::default());
        }
        std::task::ready!(self.poll_connecting(cx, side))?;
        match &mut self.state {
            State::Connected { stream, .. } => Poll::Ready(Ok(stream)),
            State::Failed(why) => Poll::Ready(Err(Error::new(ErrorKind::NotConnected, why.clone()))),
            State::Idle | State::Connecting { .. } => Poll::Pending,
        }
    }

    /// Begins to connect with these bytes for the SYN: none where it is to be plain.
    fn start(&mut self, first_bytes: FirstBytes) {
        let (connector, destination) = (self.connector.clone(), self.destination());
        let bytes = ReplaySafe(Arc::clone(&first_bytes));
        self.state = State::Connecting {
            connecting: Box::pin(async move {
                connector
                    .connect_tokio(destination.map_err(ConnectError::Resolve)?, bytes)
                    .await
            }),
            first_bytes,
        };
    }

    /// Begins to connect for somebody who waits for the server to speak.
    fn start_server_first(&mut self) {
        let (connector, destination) = (self.connector.clone(), self.destination());
        self.state = State::Connecting {
            connecting: Box::pin(async move {
                connector
                    .connect_server_first_tokio(destination.map_err(ConnectError::Resolve)?)
                    .await
            }),
            first_bytes: FirstBytes::default(),
        };
    }

    fn destination(&self) -> Result<Destination> {
        match &self.destination {
            Ok(destination) => Ok(destination.clone()),
            Err(error) => Err(Error::new(error.kind(), error.to_string())),
        }
    }

    /// Goes on with connecting, if that is what it does. Both sides are woken, whichever polled last: it may be gone by then.
    fn poll_connecting(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<Result<()>> {
        let State::Connecting {
            connecting,
            first_bytes,
        } = &mut self.state
        else {
            return Poll::Ready(Ok(()));
        };
        self.wakers.register(side, cx.waker());
        let both = Waker::from(Arc::clone(&self.wakers));
        let result = std::task::ready!(connecting.as_mut().poll(&mut Context::from_waker(&both)));
        self.wakers.wake_all();
        match result {
            Ok(connected) => {
                self.silence.begin(&connected);
                let mut cut_short = CutShort::default();
                if let Some(error) = connected.cut_short {
                    cut_short.failed(error.into());
                }
                self.report.fill(connected.outcome, connected.attempts);
                self.state = State::Connected {
                    stream: connected.stream,
                    unreported: std::mem::take(first_bytes),
                    cut_short,
                };
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                self.state = State::Failed(error.to_string());
                // A plain conversion would keep the error number and lose the attempts.
                Poll::Ready(Err(Error::new(error.kind(), error)))
            }
        }
    }
}

impl Drop for LazyStream {
    fn drop(&mut self) {
        if let State::Connected { stream, .. } = &self.state {
            self.silence.given_up(stream);
        }
    }
}

impl fmt::Debug for LazyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("LazyStream");
        match &self.state {
            State::Idle => debug.field(&"idle"),
            State::Connecting { .. } => debug.field(&"connecting"),
            State::Connected { stream, .. } => debug.field(stream),
            State::Failed(why) => debug.field(why),
        };
        debug.finish()
    }
}
