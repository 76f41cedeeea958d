//! The settings of listening, and the listener that comes of them.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::error::ListenError;
use super::warning::ListenWarning;
use crate::error::CallError;
use crate::key::KeyRing;
use crate::sys::{self, AsFd, BorrowedFd, SocketSetup};

/// Listens with Fast Open.
///
/// This is [`ListenOptions::listen`] with the usual settings, and without its warnings.
///
/// # Errors
/// [`ListenError`] names the address and the call. It converts to [`std::io::Error`].
///
/// # Examples
/// ```
/// let listener = fastopen::listen("[::1]:0")?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listen(address: impl ToSocketAddrs) -> Result<TcpListener, ListenError> {
    ListenOptions::new()
        .listen(address)
        .map(|listening| listening.listener)
}

/// A listener, and what the system could not do of what was asked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listening<L> {
    /// The listener: a `std::net::TcpListener` or a `tokio::net::TcpListener`.
    pub listener: L,
    /// What keeps Fast Open from working as asked.
    pub warnings: Vec<ListenWarning>,
}

/// The settings of a listener.
///
/// ```
/// use std::time::Duration;
/// use fastopen::ListenOptions;
///
/// let listening = ListenOptions::new()
///     .with_queue(1024)
///     .with_handshake_timeout(Duration::from_secs(3))
///     .listen("127.0.0.1:0")?;
/// for warning in &listening.warnings {
///     eprintln!("warning: {warning}");
/// }
/// # Ok::<(), fastopen::ListenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ListenOptions {
    queue: u32,
    backlog: u32,
    keys: Option<KeyRing>,
    save_syn: bool,
    handshake_timeout: Option<Duration>,
    reuse_port: bool,
    dual_stack: bool,
    setup: Option<SocketSetup>,
}

impl ListenOptions {
    /// How many unconfirmed fast connections there may be at once, unless [set](Self::with_queue).
    pub const DEFAULT_QUEUE: u32 = 1024;
    /// How many connections may wait to be accepted, unless [set](Self::with_backlog).
    pub const DEFAULT_BACKLOG: u32 = 4096;
    /// How long a client has to complete the handshake, unless [set](Self::with_handshake_timeout).
    pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

    /// The usual settings.
    pub fn new() -> Self {
        Self {
            queue: Self::DEFAULT_QUEUE,
            backlog: Self::DEFAULT_BACKLOG,
            keys: None,
            save_syn: true,
            handshake_timeout: Some(Self::DEFAULT_HANDSHAKE_TIMEOUT),
            reuse_port: false,
            dual_stack: true,
            setup: None,
        }
    }

    /// Sets how many fast connections may be unconfirmed at once, accepted or not; 0 switches Fast Open off.
    ///
    /// When it is full, clients get an ordinary handshake. `net.core.somaxconn` limits it, and [`ListenWarning::QueueCapped`] tells.
    #[must_use]
    pub fn with_queue(self, queue: u32) -> Self {
        Self { queue, ..self }
    }

    /// Sets how many connections may wait to be accepted. `net.core.somaxconn` limits it.
    #[must_use]
    pub fn with_backlog(self, backlog: u32) -> Self {
        Self { backlog, ..self }
    }

    /// Sets the keys of this listener, in place of those of `net.ipv4.tcp_fastopen_key`.
    #[must_use]
    pub fn with_keys(self, keys: impl Into<KeyRing>) -> Self {
        Self {
            keys: Some(keys.into()),
            ..self
        }
    }

    /// Sets whether the kernel keeps each connection's SYN for [`Arrival::of`](crate::Arrival::of). It does unless set; it costs about a
    /// hundred bytes a connection until it is read. MPTCP listeners can't, which is [`ListenWarning::NoSavedSyn`].
    #[must_use]
    pub fn with_saved_syn(self, save_syn: bool) -> Self {
        Self { save_syn, ..self }
    }

    /// Sets for how long the kernel waits for a client to complete the handshake: for a fast connection, how long it may stay unconfirmed.
    /// `None` leaves the socket as it is: on a new one `net.ipv4.tcp_synack_retries` decides, by default 127 seconds for fast
    /// connections and 63 for ordinary handshakes.
    ///
    /// The kernel counts in SYN-ACKs sent again, so the time is rounded up to 3, 7, 15, 31, 63 or 127 seconds, and 127 is the longest. It holds for ordinary
    /// handshakes as well.
    ///
    /// [15 seconds](Self::DEFAULT_HANDSHAKE_TIMEOUT) weigh two things. A replayed SYN holds a place in the
    /// [queue](Self::with_queue), a socket, and a thread that waits for the proof, for that long: to keep 1024 places full takes 8 SYNs a
    /// second with the kernel's default, 68 with 15 seconds, 341 with 3. And a client whose last ACK was lost, and who has nothing more to
    /// send, is asked again once for each SYN-ACK; if every answer is lost too, its connection is reset. On a path that loses 3 % of the
    /// packets each way that happens to 1 connection in 560 with 3 seconds (asked once), 1 in 9,500 with 7 (twice), 1 in 160,000 with 15
    /// (three times), and fewer when the server answers before the proof, because the client acknowledges the answer too.
    ///
    /// # Platform notes
    /// Linux (`TCP_SYNCNT`). An MPTCP listener has no such option, which is
    /// [`ListenWarning::NoHandshakeTimeout`]. Elsewhere it changes nothing.
    #[must_use]
    pub fn with_handshake_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        Self {
            handshake_timeout: timeout.into(),
            ..self
        }
    }

    /// Sets whether several listeners may share the address, and the kernel spreads connections among them (`SO_REUSEPORT`). They must
    /// also share their keys, as they do unless [set](Self::with_keys).
    #[must_use]
    pub fn with_reuse_port(self, reuse_port: bool) -> Self {
        Self { reuse_port, ..self }
    }

    /// Sets whether a listener on the IPv6 wildcard address takes IPv4 connections too. It does unless set, whatever
    /// `net.ipv6.bindv6only` says.
    #[must_use]
    pub fn with_dual_stack(self, dual_stack: bool) -> Self {
        Self { dual_stack, ..self }
    }

    /// Sets a function that gets each new socket before it is bound, to set any other option.
    ///
    /// `IPV6_V6ONLY`, `SO_REUSEADDR`, and what these options say otherwise are set after it. [`apply`](Self::apply) does not call it.
    ///
    /// # Errors
    /// What the function returns becomes a [`ListenError::Call`] with the call's name `socket setup` and the system's error number;
    /// `ECANCELED` for an error that has none.
    ///
    /// # Examples
    /// ```
    /// let listening = fastopen::ListenOptions::new()
    ///     .with_socket_setup(|socket| socket.set_recv_buffer_size(1 << 20))
    ///     .listen("127.0.0.1:0")?;
    /// # Ok::<(), fastopen::ListenError>(())
    /// ```
    #[must_use]
    pub fn with_socket_setup(
        self,
        setup: impl Fn(SockRef<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            setup: Some(SocketSetup::new(setup)),
            ..self
        }
    }

    /// Listens on the address, or the first of several that can be listened on.
    ///
    /// # Errors
    /// [`ListenError`] names the last address tried and the call that failed.
    pub fn listen(&self, address: impl ToSocketAddrs) -> Result<Listening<TcpListener>, ListenError> {
        let addresses = address.to_socket_addrs().map_err(ListenError::Resolve)?;
        self.listen_on_first(addresses)
    }

    /// Sets the Fast Open options, the keys, the saved SYN and the handshake timeout on a socket that somebody else made, before or
    /// after it listens. Backlog, port sharing, dual stack and the socket setup are left to whoever binds it. What this kind of socket lacks is a warning: an
    /// MPTCP listener keeps no SYNs and has no handshake timeout, and before Linux 6.2 no Fast Open.
    ///
    /// # Errors
    /// [`CallError`] names the call that failed. Options before the one that failed stay set.
    ///
    /// # Examples
    /// ```
    /// use fastopen::ListenOptions;
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// for warning in ListenOptions::new().apply(&listener)? {
    ///     eprintln!("warning: {warning}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn apply(&self, socket: &impl AsFd) -> Result<Vec<ListenWarning>, CallError> {
        self.apply_to(socket.as_fd())
    }

    pub(crate) fn listen_on_first(
        &self,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Listening<TcpListener>, ListenError> {
        let mut last = ListenError::NoAddress;
        for address in addresses {
            match self.listen_on(address) {
                Ok(listening) => return Ok(listening),
                Err(source) => last = ListenError::Call { address, source },
            }
        }
        Err(last)
    }

    fn listen_on(&self, address: SocketAddr) -> Result<Listening<TcpListener>, CallError> {
        let call = |name| move |error: io::Error| CallError::new(name, &error);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
            .map_err(call("socket"))?;
        if let Some(setup) = &self.setup {
            setup.run(&socket)?;
        }
        if address.is_ipv6() {
            socket
                .set_only_v6(!self.dual_stack)
                .map_err(call("setsockopt(IPV6_V6ONLY)"))?;
        }
        sys::share_address(&socket, self.reuse_port)?;
        socket.bind(&address.into()).map_err(call("bind"))?;
        let listen = || {
            let backlog = i32::try_from(self.backlog).unwrap_or(i32::MAX);
            socket.listen(backlog).map_err(call("listen"))
        };
        if sys::LISTENS_FIRST {
            listen()?;
        }
        // Before listen where it can be, so that there is no moment in which a connection arrives without them.
        let warnings = self.apply_to(socket.as_fd())?;
        if !sys::LISTENS_FIRST {
            listen()?;
        }
        Ok(Listening {
            listener: socket.into(),
            warnings,
        })
    }

    fn apply_to(&self, socket: BorrowedFd<'_>) -> Result<Vec<ListenWarning>, CallError> {
        let wanted = self.queue > 0;
        let Some(got) = sys::set_queue(socket, self.queue)? else {
            return Ok(Vec::from_iter(wanted.then_some(ListenWarning::Unsupported)));
        };
        let mut warnings = Vec::new();
        if got < self.queue {
            warnings.push(ListenWarning::QueueCapped {
                asked: self.queue,
                got,
            });
        }
        if wanted && sys::server_enabled() == Some(false) {
            warnings.push(ListenWarning::ServerDisabled);
        }
        if let Some(keys) = &self.keys {
            sys::set_keys(socket, keys)?;
        }
        if !sys::set_save_syn(socket, self.save_syn)? && self.save_syn {
            warnings.push(ListenWarning::NoSavedSyn);
        }
        if let Some(timeout) = self.handshake_timeout {
            if !sys::set_synack_retries(socket, synack_retries(timeout))? {
                warnings.push(ListenWarning::NoHandshakeTimeout);
            }
        }
        Ok(warnings)
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// How many SYN-ACKs must be sent again for the handshake to have at least that long. The kernel gives up after 1 + 2 + 4 + … seconds.
fn synack_retries(timeout: Duration) -> u8 {
    const MOST: u8 = 6;
    (1..MOST)
        .find(|retries| Duration::from_secs((2 << retries) - 1) >= timeout)
        .unwrap_or(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_timeout_is_rounded_up_to_what_the_kernel_can_do() {
        for (seconds, retries) in [
            (0, 1),
            (1, 1),
            (3, 1),
            (4, 2),
            (7, 2),
            (8, 3),
            (63, 5),
            (64, 6),
            (127, 6),
            (100_000, 6),
        ] {
            assert_eq!(
                synack_retries(Duration::from_secs(seconds)),
                retries,
                "{seconds} s"
            );
        }
    }
}
