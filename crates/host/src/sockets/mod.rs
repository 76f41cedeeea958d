//! The TCP sockets of the calling thread's network namespace, each with its `tcp_info`, over sock_diag.
//!
//! Listeners, connections, and connections that a listener accepted by their cookies before the handshake had finished: those are in
//! state [`SynRecv`](State::SynRecv), and unlike ordinary half-open connections they have a `tcp_info`. No privilege is needed.
//!
//! Source: sock_diag(7); `net/ipv4/inet_diag.c`, `include/uapi/linux/inet_diag.h`.

mod filter;
mod message;
mod parse;

use std::net::SocketAddr;

pub use crate::tcp_state::TcpState as State;
pub use filter::{Filter, States};

use crate::error::Error;
use crate::netlink::{self, Connection, NETLINK_SOCK_DIAG, NLM_F_ACK, NLM_F_DUMP};
use message::Family;

const REQUEST: &str = "listing the TCP sockets (sock_diag)";
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;

/// A TCP socket of this machine, or what is left of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its state.
    pub state: State,
    /// Its own address. IPv4 connections of an IPv6 socket have IPv4-mapped addresses.
    pub local: SocketAddr,
    /// The other side's; unspecified for a listener.
    pub remote: SocketAddr,
    /// Whose it is.
    pub uid: u32,
    /// Its inode number; 0 while no process holds it, as before it is accepted.
    pub inode: u64,
    /// Bytes that came and were not read; for a listener, connections that wait to be accepted.
    pub receive_queue: u32,
    /// Bytes sent that are not acknowledged; for a listener, the most connections that may wait to be accepted.
    pub send_queue: u32,
    /// Whether an IPv6 socket takes no IPv4 connections; `None` for IPv4, and where the kernel doesn't tell.
    pub v6_only: Option<bool>,
    /// The kernel's `struct tcp_info`, as long as this kernel makes it; `None` for a half-open connection or one in TIME_WAIT, which
    /// have none.
    pub tcp_info: Option<Vec<u8>>,
}

/// Every socket that the filter lets through.
///
/// On a busy machine there may be millions: [`dump`] gives them one by one.
///
/// # Errors
/// [`Error::Interrupted`] if the sockets kept changing in a way that the list may have missed some; [`Error`] if the kernel refuses,
/// or if its answer makes no sense.
///
/// # Examples
/// ```
/// use fastopen_host::sockets::{self, Filter, State};
///
/// # if cfg!(target_os = "linux") {
/// let https = Filter::new().with_states([State::Established]).with_local_port(443);
/// println!("{} connections", sockets::list(&https)?.len());
/// # }
/// # Ok::<(), fastopen_host::Error>(())
/// ```
pub fn list(filter: &Filter) -> Result<Vec<Socket>, Error> {
    netlink::collect(|| dump(filter))
}

/// The connection between these two addresses, looked up at once however many there are.
///
/// # Errors
/// [`Error`] if the kernel refuses, or if its answer makes no sense. That there is none is no error.
///
/// # Examples
/// ```
/// use std::net::{TcpListener, TcpStream};
///
/// # if cfg!(target_os = "linux") {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// let found = fastopen_host::sockets::get(stream.local_addr()?, stream.peer_addr()?)?;
/// assert_eq!(found.unwrap().local, stream.local_addr()?);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn get(local: SocketAddr, remote: SocketAddr) -> Result<Option<Socket>, Error> {
    get_on(local, remote, 0)
}

/// As [`get`], of a socket that is bound to an interface (`SO_BINDTODEVICE`): by the number of that interface, or 0 for none.
///
/// # Errors
/// As [`get`].
pub fn get_on(local: SocketAddr, remote: SocketAddr, interface: u32) -> Result<Option<Socket>, Error> {
    let mut connection = Connection::open(NETLINK_SOCK_DIAG, REQUEST)?;
    let request = filter::exact(local, remote, interface);
    connection.send(REQUEST, BY_FAMILY, NLM_F_ACK, &request)?;
    let found = match connection.next_reply() {
        Ok(Some(reply)) => parse::socket(reply).map_err(|problem| Error::malformed(REQUEST, problem))?,
        Ok(None) => return Ok(None),
        Err(Error::Request { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Where there is no connection the kernel gives the listener that would take one.
    let is_it = found.remote.port() == remote.port()
        && found.remote.ip().to_canonical() == remote.ip().to_canonical();
    Ok(is_it.then_some(found))
}

/// The sockets that the filter lets through, one after the other, in a few kilobytes of memory.
///
/// # Errors
/// As [`list`]; nothing more comes after an error.
pub fn dump(filter: &Filter) -> Result<Dump, Error> {
    Ok(Dump {
        connection: Connection::open(NETLINK_SOCK_DIAG, REQUEST)?,
        filter: filter.clone(),
        families: Family::BOTH.into_iter(),
        family: None,
        failed: false,
    })
}

/// The sockets that [`dump`] gives.
#[derive(Debug)]
pub struct Dump {
    connection: Connection,
    filter: Filter,
    families: std::array::IntoIter<Family, 2>,
    family: Option<Family>,
    failed: bool,
}

impl Dump {
    fn next_socket(&mut self) -> Result<Option<Socket>, Error> {
        loop {
            if self.family.is_some() {
                while let Some(reply) = self.connection.next_reply()? {
                    let socket =
                        parse::socket(reply).map_err(|problem| Error::malformed(REQUEST, problem))?;
                    if self.filter.lets_through(&socket) {
                        return Ok(Some(socket));
                    }
                }
            }
            self.family = self.families.next();
            match self.family {
                Some(family) => {
                    self.connection
                        .send(REQUEST, BY_FAMILY, NLM_F_DUMP, &self.filter.request(family))?;
                }
                None => return Ok(None),
            }
        }
    }

    /// A kernel without IPv6 does not know the family.
    fn lacks_this_family(&self, error: &Error) -> bool {
        matches!(error, Error::Request { error, .. } if error.kind() == std::io::ErrorKind::NotFound)
            && self.family == Some(Family::Ipv6)
    }
}

impl Iterator for Dump {
    type Item = Result<Socket, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.next_socket() {
            Err(error) if self.lacks_this_family(&error) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
            Ok(socket) => socket.map(Ok),
        }
    }
}
