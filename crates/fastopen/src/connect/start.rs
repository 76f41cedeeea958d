//! The beginning of one attempt.

use socket2::Socket;

use super::connector::Connector;
use super::first_flight::FirstFlight;
use super::race::{Plan, PlannedSyn};
use crate::error::CallError;
use crate::outcome::{Outcome, Sent};
use crate::sys::{self, AsFd, FastSyn, Handshake};

/// Sends the SYN. What is left of the first bytes is for the driver to send when the handshake is complete.
///
/// The socket blocks as asked if the SYN carries the option; after an ordinary SYN it never does.
pub(crate) fn start(
    connector: &Connector,
    plan: Plan,
    first_flight: FirstFlight<'_>,
    blocking: bool,
) -> Result<(Socket, Sent), CallError> {
    let blocking = blocking && plan.syn == PlannedSyn::Fast;
    let socket = sys::open(plan.address, connector.socket_options(), blocking)?;
    let outcome = match plan.syn {
        PlannedSyn::Plain(outcome) => outcome,
        PlannedSyn::Fast => match sys::connect_fast(&socket, plan.address, first_flight.bytes())? {
            FastSyn::Sent(Sent::Nothing) if first_flight.is_empty() => return Ok((socket, Sent::Empty)),
            FastSyn::Sent(sent) => return Ok((socket, sent)),
            FastSyn::NotPossible(_, error) if connector.requires_fast_open() => return Err(error),
            FastSyn::NotPossible(reason, _) => Outcome::NotAttempted(reason),
        },
    };
    if blocking {
        socket
            .set_nonblocking(true)
            .map_err(|error| CallError::new("fcntl(O_NONBLOCK)", &error))?;
    }
    sys::connect_plain(&socket, plan.address)?;
    Ok((socket, Sent::Plain(outcome)))
}

/// Looks whether the handshake is complete already, as it is within one machine by the time the SYN has left; then nobody needs to
/// wait for it.
pub(crate) fn look_at_once(socket: &Socket, sent: Sent) -> Result<Handshake, CallError> {
    match sent {
        Sent::InSyn(_) => sys::handshake(socket.as_fd()),
        Sent::Plain(_) | Sent::Nothing | Sent::Empty => Ok(Handshake::UnderWay(None)),
    }
}

/// What the SYN really carried.
///
/// Where this machine's own firewall drops it, the kernel keeps the data for later, and the SYN is all that is unacknowledged
/// (`tcp_send_syn_data`).
pub(crate) fn as_it_left(sent: Sent, looked: &Result<Handshake, CallError>) -> Sent {
    match looked {
        Ok(Handshake::UnderWay(Some(info))) if info.unacked() == Some(1) => Sent::Nothing,
        _ => sent,
    }
}
