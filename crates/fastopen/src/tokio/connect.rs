//! The driver that waits with tokio.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, ToSocketAddrs, lookup_host};
use tokio::time::timeout_at;

use super::forget_write_readiness;
use crate::connect::race::{Action, Id, Plan, Race};
use crate::connect::start::{look_at_once, settle, start};
use crate::connect::{Connected, Connector};
use crate::error::{CallError, ConnectError};
use crate::outcome::Sent;
use crate::replay_safe::ReplaySafe;
use crate::sys;
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
/// # let listener = fastopen::tokio::listen("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// let (stream, outcome) = fastopen::tokio::connect(address, ReplaySafe(b"PING\r\n")).await?.into();
/// println!("{} took the first bytes: {outcome}", stream.peer_addr()?);
/// # Ok(())
/// # }
/// ```
pub async fn connect<T: AsRef<[u8]>>(
    address: impl ToSocketAddrs,
    first_bytes: ReplaySafe<T>,
) -> Result<Connected<TcpStream>, ConnectError> {
    Connector::new().connect_tokio(address, first_bytes).await
}

impl Connector {
    /// Connects, as [`fastopen::tokio::connect`](connect) does, with these settings.
    ///
    /// # Errors
    /// [`ConnectError`] names the address and the call. It converts to [`std::io::Error`].
    pub async fn connect_tokio<T: AsRef<[u8]>>(
        &self,
        address: impl ToSocketAddrs,
        first_bytes: ReplaySafe<T>,
    ) -> Result<Connected<TcpStream>, ConnectError> {
        let addresses = lookup_host(address).await.map_err(ConnectError::Resolve)?;
        run(self, addresses, first_bytes.as_bytes()).await
    }
}

struct UnderWay {
    id: Id,
    stream: TcpStream,
    sent: Sent,
}

async fn run(
    connector: &Connector,
    addresses: impl IntoIterator<Item = SocketAddr>,
    first_bytes: &[u8],
) -> Result<Connected<TcpStream>, ConnectError> {
    let mut race = connector.race(addresses, first_bytes, Instant::now())?;
    let mut under_way: Vec<UnderWay> = Vec::new();
    let (mut winner, info) = loop {
        match race.next(Instant::now()) {
            Action::Start(id, plan) => match start_and_register(connector, plan, first_bytes) {
                Ok((stream, sent, looked)) => {
                    race.started(id, sent);
                    match looked {
                        Ok(None) => under_way.push(UnderWay { id, stream, sent }),
                        Ok(Some(info)) => break (UnderWay { id, stream, sent }, info),
                        Err(error) => race.failed(id, error, Instant::now()),
                    }
                }
                Err(error) => race.failed_to_start(id, error, Instant::now()),
            },
            Action::Abandon(id) => under_way.retain(|attempt| attempt.id != id),
            Action::Wait(until) => {
                let change = poll_fn(|cx| poll_attempts(&mut race, &mut under_way, cx));
                let won = match until {
                    Some(until) => timeout_at(until.into(), change).await.unwrap_or_default(),
                    None => change.await,
                };
                if let Some(won) = won {
                    break won;
                }
            }
            Action::Failed => {
                return Err(ConnectError::Failed {
                    attempts: race.into_attempts(Instant::now()),
                });
            }
            Action::TimedOut => return Err(connector.timed_out(race)),
        }
    };
    drop(under_way);
    let address = race.address(winner.id);
    let deadline = race.deadline();
    let (outcome, attempts) = settle(connector, race, winner.id, winner.sent, &info);
    deliver(&mut winner.stream, &first_bytes[winner.sent.bytes()..], deadline)
        .await
        .map_err(|source| ConnectError::FirstBytes { address, source })?;
    Ok(Connected {
        stream: winner.stream,
        outcome,
        attempts,
    })
}

type Looked = Result<Option<TcpInfo>, CallError>;

/// Only when the SYN has left does the runtime get to know the socket: epoll reports one that is not connecting yet as hung up.
fn start_and_register(
    connector: &Connector,
    plan: Plan,
    first_bytes: &[u8],
) -> Result<(TcpStream, Sent, Looked), CallError> {
    let (socket, sent) = start(connector, plan, first_bytes, false)?;
    let looked = look_at_once(&socket, sent);
    let stream = TcpStream::from_std(socket.into()).map_err(|error| CallError::new("epoll_ctl", &error))?;
    Ok((stream, sent, looked))
}

/// Ready when one has connected, or when one has failed.
fn poll_attempts(
    race: &mut Race,
    under_way: &mut Vec<UnderWay>,
    cx: &mut Context<'_>,
) -> Poll<Option<(UnderWay, TcpInfo)>> {
    let mut changed = Poll::Pending;
    for i in (0..under_way.len()).rev() {
        match poll_handshake(&under_way[i].stream, cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(info)) => return Poll::Ready(Some((under_way.swap_remove(i), info))),
            Poll::Ready(Err(error)) => {
                race.failed(under_way.remove(i).id, error, Instant::now());
                changed = Poll::Ready(None);
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
        if let Some(info) = sys::handshake(stream.as_fd())? {
            return Poll::Ready(Ok(info));
        }
        forget_write_readiness(stream);
    }
    Poll::Pending
}

async fn deliver(stream: &mut TcpStream, rest: &[u8], deadline: Option<Instant>) -> io::Result<()> {
    if rest.is_empty() {
        return Ok(());
    }
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), stream.write_all(rest)).await?,
        None => stream.write_all(rest).await,
    }
}
