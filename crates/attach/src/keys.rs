//! The keys of a listener's own, which override those of its network namespace.

use std::os::fd::{AsFd, OwnedFd};

use fastopen::{Key, KeyRing};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::listeners::Held;
use crate::sys::socket;

impl Held {
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
        let bytes = &mut Zeroizing::new([0; 2 * Key::LEN]);
        let length = socket::get(
            self.duplicate()?.as_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN_KEY,
            bytes.as_mut_slice(),
        )
        .map_err(|error| {
            let listener = format!("the listener {}", self.listener.address);
            Error::new("getsockopt(TCP_FASTOPEN_KEY)", listener, error)
        })?;
        Ok(keys_of(&bytes[..length]))
    }

    /// Sets keys on this socket. No call takes them away again: it has keys of its own until it is closed. Its Fast Open queue stays as it
    /// is.
    ///
    /// # Errors
    /// As [`keys`](Self::keys).
    ///
    /// Source: tcp(7); `net/ipv4/tcp_fastopen.c:tcp_fastopen_reset_cipher`.
    pub fn set_keys(&self, keys: &KeyRing) -> Result<(), Error> {
        set(
            &self.duplicate()?,
            keys,
            &format!("the listener {}", self.listener.address),
        )
    }
}

/// Sets keys on a socket that is known by that name.
pub(crate) fn set(socket: &OwnedFd, keys: &KeyRing, name: &str) -> Result<(), Error> {
    let mut bytes = Zeroizing::new([0; 2 * Key::LEN]);
    let (primary, backup) = bytes.split_at_mut(Key::LEN);
    primary.copy_from_slice(keys.primary().as_bytes());
    let length = match keys.backup() {
        Some(key) => {
            backup.copy_from_slice(key.as_bytes());
            2 * Key::LEN
        }
        None => Key::LEN,
    };
    socket::set(
        socket.as_fd(),
        libc::IPPROTO_TCP,
        libc::TCP_FASTOPEN_KEY,
        &bytes[..length],
    )
    .map_err(|error| Error::new("setsockopt(TCP_FASTOPEN_KEY)", name, error))
}

/// One key, or two.
fn keys_of(bytes: &[u8]) -> Option<KeyRing> {
    let (primary, backup) = bytes.split_first_chunk()?;
    let keys = KeyRing::new(Key::new(*primary));
    Some(match backup.first_chunk() {
        Some(backup) => keys.with_backup(Key::new(*backup)),
        None => keys,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_none_one_or_two() {
        let bytes: Vec<u8> = (0..32).collect();
        assert_eq!(keys_of(&[]), None);
        let one = keys_of(&bytes[..16]).unwrap();
        assert_eq!(
            (one.primary().as_bytes()[..].to_vec(), one.backup()),
            (bytes[..16].to_vec(), None)
        );
        let two = keys_of(&bytes).unwrap();
        assert_eq!(two.backup().unwrap().as_bytes()[..], bytes[16..]);
    }
}
