//! The driver that waits with `poll(2)`.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use socket2::Socket;

use super::connected::Connected;
use super::connector::Connector;
use super::drive::{Drive, Step, Won};
use super::error::ConnectError;
use crate::error::CallError;
use crate::outcome::Sent;
use crate::replay_safe::ReplaySafe;
use crate::sys;

/// Connects with the first bytes in the SYN where that is possible, and with an ordinary handshake where it is not.
///
/// It returns when the handshake is complete and every byte given is in the kernel's hands, whatever path they took. They reach the
/// application on the other side exactly once on the connection that is returned. This is [`Connector::connect`] with the usual
/// settings.
///
/// # Errors
/// [`ConnectError`] names the address and the call. It converts to [`std::io::Error`].
///
/// # Examples
/// ```
/// use std::io::{Read, Write};
/// use fastopen::ReplaySafe;
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = fastopen::listen("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # std::thread::spawn(move || {
/// #     let (mut stream, _) = listener.accept()?;
/// #     let _ = stream.read(&mut [0; 1000])?;
/// #     stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
/// # });
/// let request = ReplaySafe(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
/// let (mut stream, outcome) = fastopen::connect(address, request)?.into();
/// println!("the first bytes were {outcome}");
///
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 204"));
/// # Ok(())
/// # }
/// ```
pub fn connect<T: AsRef<[u8]>>(
    address: impl ToSocketAddrs,
    first_bytes: ReplaySafe<T>,
) -> Result<Connected<TcpStream>, ConnectError> {
    Connector::new().connect(address, first_bytes)
}

impl Connector {
    /// Connects, as [`connect`] does, with these settings.
    ///
    /// # Errors
    /// [`ConnectError`] names the address and the call. It converts to [`std::io::Error`].
    pub fn connect<T: AsRef<[u8]>>(
        &self,
        address: impl ToSocketAddrs,
        first_bytes: ReplaySafe<T>,
    ) -> Result<Connected<TcpStream>, ConnectError> {
        let addresses = address.to_socket_addrs().map_err(ConnectError::Resolve)?;
        run(self, addresses, first_bytes.as_bytes())
    }
}

fn run(
    connector: &Connector,
    addresses: impl IntoIterator<Item = SocketAddr>,
    first_bytes: &[u8],
) -> Result<Connected<TcpStream>, ConnectError> {
    let mut drive = Drive::new(connector, addresses, first_bytes)?;
    let won = loop {
        match drive.step(true, Ok)? {
            Step::Deliver(won) => break won,
            Step::Wait(until) => {
                if let Some(won) = wait(&mut drive, until) {
                    break won;
                }
            }
        }
    };
    let delivery = drive.finish(won);
    let failed = delivery.failed();
    let (sent, rest, deadline) = (delivery.sent, delivery.rest, delivery.deadline);
    let Connected {
        stream,
        outcome,
        attempts,
    } = delivery.connected;
    let stream = TcpStream::from(stream);
    deliver(stream.as_fd(), rest, deadline)
        .and_then(|()| match sent {
            Sent::Plain(_) => stream.set_nonblocking(false),
            Sent::Nothing | Sent::InSyn(_) => Ok(()),
        })
        .map_err(failed)?;
    Ok(Connected {
        stream,
        outcome,
        attempts,
    })
}

/// Waits once; answers the attempt that has connected, if one has.
fn wait(drive: &mut Drive<'_, Socket>, until: Option<Instant>) -> Option<Won<Socket>> {
    let sockets: Vec<_> = drive
        .under_way()
        .iter()
        .map(|attempt| attempt.socket.as_fd())
        .collect();
    let waited = sys::wait_writable(&sockets, until);
    // From the last to the first, so that one that leaves moves none that is still to be looked at.
    (0..sockets.len()).rev().find_map(|place| {
        let handshake = match &waited {
            Ok(changed) if !changed[place] => return None,
            Ok(_) => sys::handshake(drive.under_way()[place].socket.as_fd()),
            Err(error) => Err(CallError::new("poll", error)),
        };
        drive.heard(place, handshake)
    })
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
