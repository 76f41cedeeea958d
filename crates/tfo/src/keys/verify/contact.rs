//! The connections that get a server's cookies.
//!
//! They need no privilege: the kernel's cookie cache, which everybody may read, has what a server granted once the handshake is over. A
//! cookie that was cached before is sent with two bytes of data, a line end: whether they are accepted tells whether it still holds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use fastopen::{Connector, Cookie, Outcome, PathMemory, ReplaySafe};
use fastopen_host::cookies;

/// A server, and what its connections showed.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) server: SocketAddr,
    /// This machine's address on the connections.
    pub(super) client: IpAddr,
    pub(super) steps: Vec<Step>,
    /// Why there are no more.
    pub(super) error: Option<String>,
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) at: SystemTime,
    /// The cookie that was cached before it, and after its handshake.
    pub(super) before: Option<Cookie>,
    pub(super) after: Option<Cookie>,
    /// Whether the data in the SYN was accepted.
    pub(super) accepted: bool,
    /// Why there was no attempt, where there was none.
    pub(super) not_attempted: Option<String>,
}

/// What is sent: a line end, which changes nothing on any server.
const LINE_END: &[u8] = b"\r\n";

impl Contact {
    pub(super) fn new(server: SocketAddr) -> Self {
        Self {
            server,
            client: Ipv4Addr::UNSPECIFIED.into(),
            steps: Vec::new(),
            error: None,
        }
    }

    /// Makes up to that many connections, one after the other.
    pub(super) fn connect(&mut self, connections: u16, timeout: Duration) {
        for _ in 0..connections {
            if let Err(error) = self.step(timeout) {
                self.error = Some(error.to_string());
                break;
            }
        }
    }

    fn step(&mut self, timeout: Duration) -> anyhow::Result<()> {
        // Bound before, so that the cached cookie of just this address is known.
        let client = source(self.server)?;
        let before = cached(client, self.server.ip())?;
        let at = SystemTime::now();
        let connector = Connector::new()
            .with_timeout(timeout)
            .with_local_address(client)
            .with_path_memory(PathMemory::new(1));
        let connected = connector.connect(self.server, ReplaySafe(LINE_END))?;
        let after = cached(client, self.server.ip())?;
        self.client = client.to_canonical();
        self.steps.push(Step {
            at,
            before,
            after,
            accepted: connected.outcome == Outcome::Accepted,
            not_attempted: matches!(connected.outcome, Outcome::NotAttempted(_))
                .then(|| connected.outcome.to_string()),
        });
        Ok(())
    }
}

/// The address that this machine has on the way there. Connecting a datagram socket sends nothing.
fn source(server: SocketAddr) -> std::io::Result<IpAddr> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.local_addr().map(|address| address.ip())
}

fn cached(client: IpAddr, server: IpAddr) -> Result<Option<Cookie>, fastopen_host::Error> {
    let (client, server) = (client.to_canonical(), server.to_canonical());
    let entries = cookies::list()?;
    let entry = entries
        .into_iter()
        .find(|entry| entry.destination == server && entry.source.is_none_or(|source| source == client));
    Ok(entry.and_then(|entry| entry.cookie))
}
