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
        "the server bit of net.ipv4.tcp_fastopen is off, so no cookie is granted; to mend it: sysctl -w net.ipv4.tcp_fastopen=3"
    )]
    ServerDisabled,
    /// `net.core.somaxconn` limits the queue.
    #[error("the queue holds {got} and not {asked}, for net.core.somaxconn limits it")]
    QueueCapped {
        /// The length that was asked for.
        asked: u32,
        /// The length that it has.
        got: u32,
    },
}
