//! The driver that waits with `poll(2)`.

use std::io;
use std::net::TcpStream;
use std::time::Instant;

use socket2::Socket;

use super::connected::Connected;
use super::connector::Connector;
use super::delivery::Undelivered;
use super::destination::ToDestination;
use super::drive::{Drive, Step, Won};
use super::error::ConnectError;
use super::first_flight::FirstFlight;
use super::seen;
use crate::error::CallError;
use crate::outcome::Sent;
use crate::replay_safe::ReplaySafe;
use crate::sys::{self, AsFd, BorrowedFd};

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
    address: impl ToDestination,
    first_bytes: ReplaySafe<T>,
) -> Result<Connected<TcpStream>, ConnectError> {
    Connector::new().connect(address, first_bytes)
}

/// Connects to a server that speaks first, as those of SMTP, FTP, SSH, IMAP and MySQL do.
///
/// With a cached cookie the SYN carries it and no data, so that the server can send its greeting with the SYN-ACK, one round trip sooner;
/// and nothing can be replayed. Without one, an ordinary handshake asks for one.
///
/// The outcome is [`Accepted`](crate::Outcome::Accepted) only where it is proven: the greeting arrived sooner than the client's ACK could
/// have reached the server. To see that, this waits for up to a quarter of a round trip after the SYN-ACK. Where the server
/// took longer to speak, or the path is too short to tell, it is [`Unknown`](crate::Outcome::Unknown). The greeting is left in the
/// stream to be read.
///
/// # Errors
/// As for [`connect`].
///
/// # Examples
/// ```
/// use std::io::{BufRead, BufReader, Write};
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = fastopen::listen("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # std::thread::spawn(move || listener.accept()?.0.write_all(b"220 mail.example.com ESMTP\r\n"));
/// let (stream, outcome) = fastopen::connect_server_first(address)?.into();
/// let mut greeting = String::new();
/// BufReader::new(stream).read_line(&mut greeting)?;
/// println!("{greeting} ({outcome})");
/// # assert!(greeting.starts_with("220 "));
/// # Ok(())
/// # }
/// ```
pub fn connect_server_first(address: impl ToDestination) -> Result<Connected<TcpStream>, ConnectError> {
    Connector::new().connect_server_first(address)
}

impl Connector {
    /// Connects, as [`connect`] does, with these settings.
    ///
    /// # Errors
    /// [`ConnectError`] names the address and the call. It converts to [`std::io::Error`].
    pub fn connect<T: AsRef<[u8]>>(
        &self,
        address: impl ToDestination,
        first_bytes: ReplaySafe<T>,
    ) -> Result<Connected<TcpStream>, ConnectError> {
        let first_flight = FirstFlight::Bytes(first_bytes.as_bytes());
        seen::ended(run(self, address, first_flight))
    }

    /// Connects to a server that speaks first, as [`connect_server_first`] does, with these settings.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub fn connect_server_first(
        &self,
        address: impl ToDestination,
    ) -> Result<Connected<TcpStream>, ConnectError> {
        seen::ended(run(self, address, FirstFlight::ServerFirst))
    }
}

fn run(
    connector: &Connector,
    address: impl ToDestination,
    first_flight: FirstFlight<'_>,
) -> Result<Connected<TcpStream>, ConnectError> {
    let began = Instant::now();
    let addresses = connector.resolve(address.to_destination(), began)?;
    let mut drive = Drive::new(connector, addresses, first_flight, began, Instant::now)?;
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
    let mut delivery = drive.finish(won);
    if let Some(until) = delivery.await_proof_until() {
        let socket = delivery.connected.stream.as_fd();
        // A failure to wait only leaves the outcome unknown.
        let _ = sys::wait_readable(socket, until);
        if let Ok(info) = sys::tcp_info(socket) {
            delivery.look_for_proof(&info, Instant::now());
        }
    }
    let socket = &delivery.connected.stream;
    let mut delivered = deliver(socket.as_fd(), delivery.rest, delivery.deadline);
    if let Sent::Plain(_) = delivery.sent {
        delivered = delivered.and_then(|()| socket.set_nonblocking(false).map_err(Undelivered::Ended));
    }
    Ok(delivery.end(delivered)?.map(TcpStream::from))
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
        drive.received(place, handshake)
    })
}

/// Hands the rest of the first bytes to the kernel.
fn deliver(socket: BorrowedFd<'_>, mut rest: &[u8], deadline: Option<Instant>) -> Result<(), Undelivered> {
    while !rest.is_empty() {
        match sys::send(socket, rest) {
            Ok(sent) => rest = &rest[sent..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let writable = sys::wait_writable(&[socket], deadline).map_err(Undelivered::Ended)?;
                if !writable[0] {
                    return Err(Undelivered::TimedOut);
                }
            }
            Err(error) => return Err(Undelivered::Ended(error)),
        }
    }
    Ok(())
}
