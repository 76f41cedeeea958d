//! The keys of a socket's own, which override those of its network namespace.

use std::os::fd::{AsFd, OwnedFd};

use fastopen::{Key, KeyRing};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::sys::socket;

/// The keys that were set on a socket that is known by that name; `None` where it uses those of its network namespace.
pub(crate) fn of(socket: &OwnedFd, name: &str) -> Result<Option<KeyRing>, Error> {
    let bytes = &mut Zeroizing::new([0; 2 * Key::LEN]);
    let length = socket::get(
        socket.as_fd(),
        libc::IPPROTO_TCP,
        libc::TCP_FASTOPEN_KEY,
        bytes.as_mut_slice(),
    )
    .map_err(|error| Error::new("getsockopt(TCP_FASTOPEN_KEY)", name, error))?;
    Ok(keys_of(&bytes[..length]))
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
