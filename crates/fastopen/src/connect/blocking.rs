//! The driver that waits with `poll(2)`.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use socket2::Socket;

use super::race::{Action, Id, Race};
use super::start::{look_at_once, settle, start};
use super::{Connected, Connector};
use crate::error::{CallError, ConnectError};
use crate::outcome::Sent;
use crate::sys;
use crate::tcp_info::TcpInfo;

struct UnderWay {
    id: Id,
    socket: Socket,
    sent: Sent,
}

pub(crate) fn connect(
    connector: &Connector,
    addresses: impl IntoIterator<Item = SocketAddr>,
    first_bytes: &[u8],
) -> Result<Connected<TcpStream>, ConnectError> {
    let mut race = connector.race(addresses, first_bytes, Instant::now())?;
    let mut under_way: Vec<UnderWay> = Vec::new();
    let (winner, info) = loop {
        match race.next(Instant::now()) {
            Action::Start(id, plan) => match start(connector, plan, first_bytes, true) {
                Ok((socket, sent)) => {
                    race.started(id, sent);
                    match look_at_once(&socket, sent) {
                        Ok(None) => under_way.push(UnderWay { id, socket, sent }),
                        Ok(Some(info)) => break (UnderWay { id, socket, sent }, info),
                        Err(error) => race.failed(id, error, Instant::now()),
                    }
                }
                Err(error) => race.failed_to_start(id, error, Instant::now()),
            },
            Action::Abandon(id) => under_way.retain(|attempt| attempt.id != id),
            Action::Wait(until) => {
                if let Some(won) = wait(&mut race, &mut under_way, until) {
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
    let stream = TcpStream::from(winner.socket);
    deliver(stream.as_fd(), &first_bytes[winner.sent.bytes()..], deadline)
        .and_then(|()| match winner.sent {
            Sent::Plain(_) => stream.set_nonblocking(false),
            Sent::Nothing | Sent::InSyn(_) => Ok(()),
        })
        .map_err(|source| ConnectError::FirstBytes { address, source })?;
    Ok(Connected {
        stream,
        outcome,
        attempts,
    })
}

/// Waits once; answers the attempt that has connected, if one has.
fn wait(
    race: &mut Race,
    under_way: &mut Vec<UnderWay>,
    until: Option<Instant>,
) -> Option<(UnderWay, TcpInfo)> {
    let sockets: Vec<_> = under_way.iter().map(|attempt| attempt.socket.as_fd()).collect();
    let changed = match sys::wait_writable(&sockets, until) {
        Ok(changed) => changed,
        Err(error) => {
            let error = CallError::new("poll", &error);
            under_way
                .drain(..)
                .for_each(|attempt| race.failed(attempt.id, error, Instant::now()));
            return None;
        }
    };
    // From the last to the first, so that a removal moves nothing that is still to be looked at.
    for i in (0..under_way.len()).rev().filter(|i| changed[*i]) {
        match sys::handshake(under_way[i].socket.as_fd()) {
            Ok(None) => {}
            Ok(Some(info)) => return Some((under_way.swap_remove(i), info)),
            Err(error) => race.failed(under_way.remove(i).id, error, Instant::now()),
        }
    }
    None
}

/// Hands the rest of the first bytes to the kernel.
fn deliver(socket: BorrowedFd<'_>, mut rest: &[u8], deadline: Option<Instant>) -> io::Result<()> {
    while !rest.is_empty() {
        match sys::send(socket, rest) {
            Ok(sent) => rest = &rest[sent..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = sys::wait_writable(&[socket], deadline)?;
                if !writable[0] {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
