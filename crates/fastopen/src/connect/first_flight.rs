//! What a client sends before it has received anything.

/// What a client sends before it has received anything.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FirstFlight<'a> {
    /// These bytes, in the SYN where that is possible; without any there is nothing to gain.
    Bytes(&'a [u8]),
    /// Nothing: the server speaks first. An empty SYN with the cookie lets it do so before the client's ACK has arrived.
    ServerFirst,
}

impl<'a> FirstFlight<'a> {
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::ServerFirst => &[],
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.bytes().is_empty()
    }
}
