//! The caller's word about its first bytes.

/// First bytes that the server may see more than once.
///
/// A network can deliver a SYN twice, and an attacker who saw one can send it again: the server's application then reads the same
/// first bytes on a second connection (RFC 7413, section 2.1). By building a `ReplaySafe` the caller says that this does no harm, as
/// it does none for a `GET`, a DNS query or a TLS ClientHello. A payment must not travel like this.
///
/// ```
/// use fastopen::ReplaySafe;
///
/// let request = ReplaySafe(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
/// let nothing_to_send_yet = ReplaySafe("");
/// # let _ = (request, nothing_to_send_yet);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReplaySafe<T: AsRef<[u8]>>(pub T);

impl<T: AsRef<[u8]>> ReplaySafe<T> {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}
