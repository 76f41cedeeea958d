//! The driver that waits with tokio.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use socket2::Socket;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::readiness::forget_write_readiness;
use crate::connect::delivery::Undelivered;
use crate::connect::drive::{Drive, Step, Won};
use crate::connect::first_flight::FirstFlight;
use crate::connect::seen;
use crate::connect::{ConnectError, Connected, Connector, Destination, ToDestination};
use crate::error::CallError;
use crate::replay_safe::ReplaySafe;
use crate::sys::{self, AsFd, Handshake};
use crate::tcp_info::TcpInfo;

/// Connects with the first bytes in the SYN where that is possible, and with an ordinary handshake where it is not.
///
/// As [`fastopen::connect`](crate::connect), for tokio. Dropping the future closes whatever it had opened; the server may have seen the
/// first bytes all the same.
///
/// # Errors
/// [`ConnectError`] names the address and the call. It converts to [`std::io::Error`].
///
/// # Examples
/// ```
/// use fastopen::ReplaySafe;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// let (stream, outcome) = fastopen::for_tokio::connect(address, ReplaySafe(b"PING\r\n")).await?.into();
/// println!("{} took the first bytes: {outcome}", stream.peer_addr()?);
/// # Ok(())
/// # }
/// ```
pub async fn connect<T: AsRef<[u8]>>(
    address: impl ToDestination,
    first_bytes: ReplaySafe<T>,
) -> Result<Connected<TcpStream>, ConnectError> {
    Connector::new().connect_tokio(address, first_bytes).await
}

/// Connects to a server that speaks first: see [`fastopen::connect_server_first`](crate::connect_server_first).
///
/// # Errors
/// As for [`connect`].
///
/// # Examples
/// ```
/// use tokio::io::{AsyncBufReadExt, BufReader};
/// # use tokio::io::AsyncWriteExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # tokio::spawn(async move { listener.accept().await?.0.write_all(b"220 mail.example.com ESMTP\r\n").await });
/// let (stream, outcome) = fastopen::for_tokio::connect_server_first(address).await?.into();
/// let mut greeting = String::new();
/// BufReader::new(stream).read_line(&mut greeting).await?;
/// println!("{greeting} ({outcome})");
/// # assert!(greeting.starts_with("220 "));
/// # Ok(())
/// # }
/// ```
pub async fn connect_server_first(address: impl ToDestination) -> Result<Connected<TcpStream>, ConnectError> {
    Connector::new().connect_server_first_tokio(address).await
}

impl Connector {
    /// Connects, as [`fastopen::for_tokio::connect`](connect) does, with these settings.
    ///
    /// # Errors
    /// [`ConnectError`] names the address and the call. It converts to [`std::io::Error`].
    pub async fn connect_tokio<T: AsRef<[u8]>>(
        &self,
        address: impl ToDestination,
        first_bytes: ReplaySafe<T>,
    ) -> Result<Connected<TcpStream>, ConnectError> {
        let first_flight = FirstFlight::Bytes(first_bytes.as_bytes());
        seen::ended(run(self, address.to_destination(), first_flight).await)
    }

    /// Connects to a server that speaks first, as [`fastopen::for_tokio::connect_server_first`](connect_server_first) does, with these
    /// settings.
    ///
    /// # Errors
    /// As for [`connect_tokio`](Self::connect_tokio).
    pub async fn connect_server_first_tokio(
        &self,
        address: impl ToDestination,
    ) -> Result<Connected<TcpStream>, ConnectError> {
        let destination = address.to_destination();
        seen::ended(run(self, destination, FirstFlight::ServerFirst).await)
    }
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn run(
    connector: &Connector,
    destination: io::Result<Destination>,
    first_flight: FirstFlight<'_>,
) -> Result<Connected<TcpStream>, ConnectError> {
    let began = now();
    let addresses = connector.resolve_tokio(destination, began).await?;
    let mut drive = Drive::new(connector, addresses, first_flight, began, now)?;
    let won = loop {
        match drive.step(false, adopt)? {
            Step::Deliver(won) => break won,
            Step::Wait(until) => {
                let change = poll_fn(|cx| poll_attempts(&mut drive, cx));
                let won = match until {
                    Some(until) => timeout_at(until.into(), change).await.unwrap_or_default(),
                    None => change.await,
                };
                if let Some(won) = won {
                    break won;
                }
            }
        }
    };
    let mut delivery = drive.finish(won);
    if let Some(until) = delivery.await_proof_until() {
        // A failure to wait only leaves the outcome unknown.
        let _ = timeout_at(until.into(), delivery.connected.stream.readable()).await;
        if let Ok(info) = sys::tcp_info(delivery.connected.stream.as_fd()) {
            delivery.look_for_proof(&info, now());
        }
    }
    let delivered = deliver(&mut delivery.connected.stream, delivery.rest, delivery.deadline).await;
    delivery.end(delivered)
}

/// The runtime gets to know a socket only when its SYN has left: epoll reports one that is not connecting yet as hung up.
fn adopt(socket: Socket) -> Result<TcpStream, CallError> {
    TcpStream::from_std(socket.into()).map_err(|error| CallError::new("epoll_ctl", &error))
}

/// Ready when one has connected, or when one has failed.
fn poll_attempts(drive: &mut Drive<'_, TcpStream>, cx: &mut Context<'_>) -> Poll<Option<Won<TcpStream>>> {
    let mut changed = Poll::Pending;
    // From the last to the first, so that one that leaves moves none that is still to be looked at.
    for place in (0..drive.under_way().len()).rev() {
        if let Poll::Ready(handshake) = poll_handshake(&drive.under_way()[place].socket, cx) {
            changed = Poll::Ready(drive.received(place, handshake.map(Handshake::Complete)));
            if let Poll::Ready(Some(_)) = changed {
                break;
            }
        }
    }
    changed
}

fn poll_handshake(stream: &TcpStream, cx: &mut Context<'_>) -> Poll<Result<TcpInfo, CallError>> {
    while stream
        .poll_write_ready(cx)
        .map_err(|error| CallError::new("epoll_wait", &error))?
        .is_ready()
    {
        if let Handshake::Complete(info) = sys::handshake(stream.as_fd())? {
            return Poll::Ready(Ok(info));
        }
        forget_write_readiness(stream);
    }
    Poll::Pending
}

async fn deliver(stream: &mut TcpStream, rest: &[u8], deadline: Option<Instant>) -> Result<(), Undelivered> {
    if rest.is_empty() {
        return Ok(());
    }
    let written = match deadline {
        Some(deadline) => timeout_at(deadline.into(), stream.write_all(rest))
            .await
            .map_err(|_| Undelivered::TimedOut)?,
        None => stream.write_all(rest).await,
    };
    written.map_err(Undelivered::Ended)
}
