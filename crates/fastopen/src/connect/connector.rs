//! The settings of connecting.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::error::ConnectError;
use super::first_flight::FirstFlight;
use super::memory::{Advice, PathMemory};
use super::order;
use super::race::{Plan, PlannedSyn, Race, Settings};
use super::resolver::{Resolve, Resolver};
use crate::outcome::{Outcome, Reason};
use crate::sys::{self, SocketOptions, SocketSetup};

/// Whether to use Fast Open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Never: ordinary handshakes.
    Off,
    /// Where it can work. A plain attempt joins a fast one that gets no answer, and paths on which it failed are left alone for a while.
    #[default]
    Auto,
    /// Always: no plain attempt takes its place, no path is left alone, and it is an error where the system has it switched off. For
    /// measuring. A first connection still finds [no cookie](Outcome::NoCookie).
    Require,
}

/// The settings of connecting, to be used many times.
///
/// ```no_run
/// use std::time::Duration;
/// use fastopen::{Connector, ReplaySafe};
///
/// let connector = Connector::new().with_timeout(Duration::from_secs(5)).with_delay(Duration::from_millis(100));
/// let connected = connector.connect("example.com:80", ReplaySafe("GET / HTTP/1.0\r\n\r\n"))?;
/// for attempt in &connected.attempts {
///     eprintln!("{attempt}");
/// }
/// # Ok::<(), fastopen::ConnectError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    policy: Policy,
    timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    delay: Option<Duration>,
    address_delay: Option<Duration>,
    socket: SocketOptions,
    memory: PathMemory,
    resolver: Resolver,
}

impl Connector {
    /// How long an attempt has before the next one joins it, unless [set](Self::with_delay) (RFC 8305, section 5), or the path's
    /// round-trip time says otherwise.
    pub const DEFAULT_DELAY: Duration = Duration::from_millis(250);

    /// The usual settings: [`Policy::Auto`], no timeout but the kernel's, the system's resolver, and the
    /// [process-wide](PathMemory::process_wide) path memory.
    pub fn new() -> Self {
        Self {
            policy: Policy::Auto,
            timeout: None,
            attempt_timeout: None,
            delay: None,
            address_delay: None,
            socket: SocketOptions::default(),
            memory: PathMemory::process_wide(),
            resolver: Resolver::default(),
        }
    }

    /// Sets whether to use Fast Open.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Sets how long it may take until the name is resolved and the connection stands and has taken the first bytes. Without it the kernel
    /// gives up on an address after about two minutes (`net.ipv4.tcp_syn_retries`).
    ///
    /// Nothing can stop the C library's resolver; the blocking [`connect`](Self::connect) runs it in a thread and leaves that behind
    /// when the time is up.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }

    /// Sets how long one attempt may go without an answer. Then it is given up, and the next address starts at once.
    ///
    /// Without it an attempt goes on beside the others until one connects, the time for [all of it](Self::with_timeout) is up, or the
    /// kernel gives up.
    #[must_use]
    pub fn with_attempt_timeout(self, timeout: Duration) -> Self {
        Self {
            attempt_timeout: Some(timeout),
            ..self
        }
    }

    /// Sets how long an attempt has before the next address joins it, where that is to be another time than the
    /// [delay](Self::with_delay) of a plain attempt.
    #[must_use]
    pub fn with_address_delay(self, delay: Duration) -> Self {
        Self {
            address_delay: Some(delay),
            ..self
        }
    }

    /// Sets how long an attempt has before the next address joins it, unless [set apart](Self::with_address_delay), and before a plain
    /// attempt joins a fast one.
    ///
    /// Without it the next address has [`DEFAULT_DELAY`](Self::DEFAULT_DELAY), and a plain attempt joins a fast one when the SYN-ACK is
    /// overdue: after the path's round-trip time and a quarter of it, at least 30 ms, and more where the time varies; never after more
    /// than 2 s (RFC 8305, section 5), and after half of that where the last fast SYN was lost (at least 10 ms). The round-trip time is what the
    /// [path memory](PathMemory) knows from earlier connections, or else the kernel (`ip tcp_metrics`). Where neither knows it, it is
    /// `DEFAULT_DELAY`.
    ///
    /// A path that drops fast SYNs costs this much. On paths with a longer round-trip time than the delay each fast attempt is
    /// joined by a plain one that is closed when the fast one wins.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self {
            delay: Some(delay),
            ..self
        }
    }

    /// Sets who finds the addresses of a name, in place of the system's resolver.
    #[must_use]
    pub fn with_resolver(self, resolver: impl Resolve) -> Self {
        Self {
            resolver: Resolver::new(resolver),
            ..self
        }
    }

    /// Sets the address to connect from; the kernel chooses the port. See
    /// [`with_local_socket_address`](Self::with_local_socket_address).
    #[must_use]
    pub fn with_local_address(self, local_address: IpAddr) -> Self {
        self.with_local_socket_address(SocketAddr::new(local_address, 0))
    }

    /// Sets the address and port to connect from, and for a link-local IPv6 address its scope; without one it is the
    /// destination's.
    ///
    /// One call for an IPv4 address and another for an IPv6 address set both. Destinations of a family without a local address
    /// are left out. A v4-mapped IPv6 address (`::ffff:192.0.2.1`) counts as IPv4, as a local address and as a destination.
    ///
    /// A port that is not 0 can be used for one connection to a destination at a time (`SO_REUSEADDR` is set), so no plain attempt can
    /// join a fast one from it; the kernel's own retransmission has to do.
    #[must_use]
    pub fn with_local_socket_address(mut self, local_address: SocketAddr) -> Self {
        self.socket.set_local_address(local_address);
        self
    }

    /// Sets `TCP_NODELAY` where that is possible.
    #[cfg(feature = "hyper")]
    pub(crate) fn with_nodelay(mut self, nodelay: bool) -> Self {
        self.socket.nodelay = nodelay;
        self
    }

    /// Sets what is done to each socket before it connects: any socket option.
    ///
    /// It is called for every attempt, before the socket is bound and connected. An error that it returns ends the attempt.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fastopen::{Connector, SockRef};
    ///
    /// let connector = Connector::new().with_socket_setup(|socket: SockRef<'_>| {
    ///     socket.set_tcp_nodelay(true)?;
    ///     socket.set_recv_buffer_size(1 << 20)
    /// });
    /// # let _ = connector;
    /// ```
    #[must_use]
    pub fn with_socket_setup(
        mut self,
        setup: impl Fn(SockRef<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.socket.setup = Some(SocketSetup::new(setup));
        self
    }

    /// Sets the mark for policy routing (`SO_MARK`, see socket(7)).
    ///
    /// # Platform notes
    /// Linux, with CAP_NET_ADMIN or CAP_NET_RAW. Elsewhere connecting fails.
    #[must_use]
    pub fn with_mark(mut self, mark: u32) -> Self {
        self.socket.mark = Some(mark);
        self
    }

    /// Sets the network interface to connect through (`SO_BINDTODEVICE`, see socket(7)).
    ///
    /// # Platform notes
    /// Linux. Elsewhere connecting fails.
    #[must_use]
    pub fn with_device(mut self, device: impl Into<String>) -> Self {
        self.socket.device = Some(device.into());
        self
    }

    /// Sets whether to use Multipath TCP (RFC 8684) where the kernel has it, and TCP where it does not.
    #[must_use]
    pub fn with_mptcp(mut self, mptcp: bool) -> Self {
        self.socket.mptcp = mptcp;
        self
    }

    /// Sets where to remember paths on which Fast Open fails, in place of the [process-wide](PathMemory::process_wide) memory.
    #[must_use]
    pub fn with_path_memory(self, memory: PathMemory) -> Self {
        Self { memory, ..self }
    }

    pub(crate) fn requires_fast_open(&self) -> bool {
        self.policy == Policy::Require
    }

    pub(crate) fn socket_options(&self) -> &SocketOptions {
        &self.socket
    }

    pub(crate) fn memory(&self) -> &PathMemory {
        &self.memory
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(super) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// When the time for a connect that began then is up.
    pub(super) fn deadline(&self, began: Instant) -> Option<Instant> {
        self.timeout.and_then(|timeout| began.checked_add(timeout))
    }

    pub(crate) fn race(
        &self,
        addresses: impl IntoIterator<Item = SocketAddr>,
        first_flight: FirstFlight<'_>,
        began: Instant,
    ) -> Result<Race, ConnectError> {
        let reachable = addresses
            .into_iter()
            .filter(|address| self.socket.reach(*address));
        let plans: Vec<_> = order::interleave(reachable)
            .into_iter()
            .map(|address| self.plan(address, first_flight, began))
            .collect();
        if plans.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        let settings = Settings {
            address_delay: self.address_delay.or(self.delay).unwrap_or(Self::DEFAULT_DELAY),
            attempt_timeout: self.attempt_timeout,
            timeout: self.timeout,
        };
        Ok(Race::new(plans, settings, began))
    }

    fn plan(&self, address: SocketAddr, first_flight: FirstFlight<'_>, now: Instant) -> Plan {
        let advice = match self.policy {
            Policy::Auto => self.memory.advice(address.ip(), now),
            Policy::Off | Policy::Require => Advice::default(),
        };
        let plain = match self.policy {
            Policy::Off => Some(Reason::Policy),
            _ if matches!(first_flight, FirstFlight::Bytes([])) => Some(Reason::Dataless),
            Policy::Auto => advice.plain.then_some(Reason::PathMemory),
            Policy::Require => None,
        };
        Plan {
            address,
            syn: plain.map_or(PlannedSyn::Fast, |reason| {
                PlannedSyn::Plain(Outcome::NotAttempted(reason))
            }),
            plain_after: (!self.requires_fast_open())
                .then(|| self.delay.or(advice.plain_delay).unwrap_or(Self::DEFAULT_DELAY)),
        }
    }

    /// Asks the kernel how long a plain attempt is to wait, once for a destination whose round-trip time nobody knows here.
    pub(super) fn ask_for_plain_delay(&self, destination: IpAddr, now: Instant) -> Option<Duration> {
        if self.delay.is_some() || self.policy != Policy::Auto {
            return None;
        }
        self.memory
            .ask_for_rtt(destination, now, sys::rtt_of_earlier_connections)
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}
