//! The sockets on which running servers listen, and Fast Open on them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use fastopen::KeyRing;
use fastopen_host::listeners::Listener;
use fastopen_host::owners::{Owners, Process as Owner};

use crate::error::Error;
use crate::keys;
use crate::process::Process;
use crate::sys::socket;

/// A listener and the processes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The listener.
    pub listener: Listener,
    /// The processes that are known to hold it; none where this process may not see them.
    pub owners: Vec<Owner>,
    /// How many processes could not be inspected because the privilege is missing, and may hold it too.
    pub unreadable: usize,
}

/// Every TCP listener of the calling thread's network namespace, with its owners.
///
/// The owners are looked for among all processes that this process sees, whatever network namespace they are in.
///
/// # Errors
/// [`fastopen_host::Error`] if `/proc` can't be read.
///
/// # Examples
/// ```
/// for held in fastopen_attach::listeners::list()? {
///     println!("{}: {:?}", held.listener.address, held.owners);
/// }
/// # Ok::<(), fastopen_host::Error>(())
/// ```
pub fn list() -> Result<Vec<Held>, fastopen_host::Error> {
    owned(fastopen_host::listeners::list()?)
}

/// These listeners, with their owners, as [`list`] finds them.
///
/// # Errors
/// [`fastopen_host::Error`] if `/proc` can't be read.
pub fn owned(listeners: Vec<Listener>) -> Result<Vec<Held>, fastopen_host::Error> {
    let owners = Owners::find(listeners.iter().map(|listener| listener.inode))?;
    let held = |listener: Listener| Held {
        owners: owners.of(listener.inode).to_vec(),
        unreadable: owners.unreadable(),
        listener,
    };
    Ok(listeners.into_iter().map(held).collect())
}

/// What a listener's Fast Open queue and keys were, and what they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched {
    /// The length before; 0: Fast Open was off.
    pub before: u32,
    /// The length that it was to have.
    pub asked: u32,
    /// The length now: the kernel caps it at `net.core.somaxconn`.
    pub now: u32,
    /// The keys of the socket's own before; `None` where it used those of its network namespace.
    pub keys_before: Option<KeyRing>,
    /// The keys of the socket's own now.
    pub keys_now: Option<KeyRing>,
}

impl Held {
    /// Sets the length of the Fast Open queue, made of what it is; 0 switches it off. Connections that are open, or wait to be accepted,
    /// stay as they are.
    ///
    /// The first of the owners that lets go of a duplicate is enough: the socket is the same for all.
    ///
    /// # Errors
    /// [`Error`] if no owner is known, none may be duplicated from, or the kernel refuses the option. With a key that it refuses the
    /// queue is left as it was.
    ///
    /// # Examples
    /// ```
    /// use std::net::TcpListener;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// let address = server.local_addr()?;
    /// let held = fastopen_attach::listeners::list()?.into_iter().find(|held| held.listener.address == address).unwrap();
    /// // 16 places, unless it has some already.
    /// let switched = held.set_queue(|before| if before == 0 { 16 } else { before }, None)?;
    /// assert_eq!((switched.before, switched.now), (0, 16));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Source: tcp(7), pidfd_getfd(2); `net/ipv4/tcp.c:do_tcp_setsockopt`.
    pub fn set_queue(
        &self,
        length: impl FnOnce(u32) -> u32,
        keys: Option<&KeyRing>,
    ) -> Result<Switched, Error> {
        let socket = self.duplicate()?;
        let name = self.name();
        let get = || {
            socket::integer(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN)
                .map(|length| u32::try_from(length).unwrap_or(0))
                .map_err(|error| Error::new("getsockopt(TCP_FASTOPEN)", &name, error))
        };
        let before = get()?;
        // A kind of socket that can't have keys has none.
        let own_keys = || keys::of(&socket, &name).ok().flatten();
        let keys_before = own_keys();
        if let Some(keys) = keys {
            keys::set(&socket, keys, &name)?;
        }
        let asked = length(before);
        let length = i32::try_from(asked).unwrap_or(i32::MAX);
        socket::set_integer(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_FASTOPEN, length)
            .map_err(|error| Error::new("setsockopt(TCP_FASTOPEN)", &name, error))?;
        Ok(Switched {
            before,
            asked,
            now: get()?,
            keys_before,
            keys_now: own_keys(),
        })
    }

    /// The keys that were set on this socket; `None` where it uses those of its network namespace.
    ///
    /// # Errors
    /// [`Error`] if no owner is known, none may be duplicated from, or this kind of socket has no keys.
    ///
    /// # Examples
    /// ```
    /// use std::net::TcpListener;
    ///
    /// let server = TcpListener::bind("127.0.0.1:0")?;
    /// let address = server.local_addr()?;
    /// let held = fastopen_attach::listeners::list()?.into_iter().find(|held| held.listener.address == address).unwrap();
    /// assert_eq!(held.keys()?, None);
    /// let keys = "1-2-3-4,5-6-7-8".parse()?;
    /// held.set_keys(&keys)?;
    /// assert_eq!(held.keys()?, Some(keys));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Source: `net/ipv4/tcp.c:do_tcp_getsockopt`, which has no bytes for a socket without keys of its own.
    pub fn keys(&self) -> Result<Option<KeyRing>, Error> {
        keys::of(&self.duplicate()?, &self.name())
    }

    /// Sets keys on this socket. No call takes them away again: it has keys of its own until it is closed. Its Fast Open queue stays as it
    /// is.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    ///
    /// Source: tcp(7); `net/ipv4/tcp_fastopen.c:tcp_fastopen_reset_cipher`.
    pub fn set_keys(&self, keys: &KeyRing) -> Result<(), Error> {
        keys::set(&self.duplicate()?, keys, &self.name())
    }

    fn duplicate(&self) -> Result<OwnedFd, Error> {
        let mut refusal = None;
        for owner in &self.owners {
            let process = Process::open(owner.pid, &owner.name);
            match process.and_then(|process| process.duplicate_socket(self.listener.inode)) {
                Ok(Some(socket)) => return Ok(socket),
                Ok(None) => {}
                Err(error) => refusal = Some(error),
            }
        }
        let name = self.name();
        Err(match refusal {
            Some(error) => error,
            None if self.owners.is_empty() => {
                let (kind, reason) = match self.unreadable {
                    0 => (
                        io::ErrorKind::NotFound,
                        "no process that can be seen here holds it: it has ended, or is in another PID namespace (in a container: \
                         --pid=host)",
                    ),
                    _ => (
                        io::ErrorKind::PermissionDenied,
                        "no process that this user may look into holds it; root sees them all",
                    ),
                };
                Error::new("finding the owner", name, io::Error::new(kind, reason))
            }
            None => {
                let reason = "its owners have closed it";
                Error::new(
                    "duplicating",
                    name,
                    io::Error::new(io::ErrorKind::NotFound, reason),
                )
            }
        })
    }

    fn name(&self) -> String {
        format!("the listener {}", self.listener.address)
    }
}
