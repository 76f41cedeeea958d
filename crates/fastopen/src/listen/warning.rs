//! What keeps a listener's Fast Open from working as asked.

/// Something that keeps a listener's Fast Open from working as asked. The listener takes connections all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ListenWarning {
    /// The system has no Fast Open for servers.
    #[error("this system has no TCP Fast Open for servers: every connection takes the ordinary handshake")]
    Unsupported,
    /// The server bit (0x2) of `net.ipv4.tcp_fastopen` is off, so that no cookie is granted.
    #[error(
        "the server bit of net.ipv4.tcp_fastopen is off, so no cookie is granted; to fix it: sysctl -w net.ipv4.tcp_fastopen=3"
    )]
    ServerDisabled,
    /// `net.core.somaxconn` limits the queue.
    #[error("the queue holds {got} and not {asked}, because net.core.somaxconn limits it")]
    QueueCapped {
        /// The length that was asked for.
        asked: u32,
        /// The length that it has.
        got: u32,
    },
    /// This kind of socket keeps no SYNs (MPTCP): [`Arrival::syn`](crate::Arrival::syn) is `None`, and connections that requested a cookie are
    /// reported as plain.
    #[error(
        "this kind of socket keeps no SYNs, so connections that requested a cookie are reported as plain (no TCP_SAVE_SYN: is it MPTCP?)"
    )]
    NoSavedSyn,
    /// This kind of socket takes no handshake timeout (MPTCP): `net.ipv4.tcp_synack_retries` decides.
    #[error(
        "this kind of socket takes no handshake timeout, so net.ipv4.tcp_synack_retries decides (no TCP_SYNCNT: is it MPTCP?)"
    )]
    NoHandshakeTimeout,
}
