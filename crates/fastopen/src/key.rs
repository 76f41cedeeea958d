//! Server keys, and the cookies that they make.

use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;
use std::str::FromStr;

use fastopen_wire::Cookie;
use siphasher::sip::SipHasher24;
use zeroize::Zeroize;

/// A server's Fast Open key: 16 secret bytes from which cookies are computed.
///
/// Servers behind one address must share their keys, or each refuses the others' cookies. `Display` and `FromStr` use the format of
/// `net.ipv4.tcp_fastopen_key`; `Debug` shows nothing of it, and the bytes are wiped from memory when the key is dropped.
///
/// `FromStr` also takes 32 hexadecimal digits without dashes, as `openssl rand -hex 16` prints them. They are the sysctl's digits in the
/// same order, so that writing the dashes or not never changes the key. Because each of the sysctl's groups is a little-endian number
/// they are not the bytes in order: for those there is [`Key::new`].
///
/// ```
/// use fastopen::Key;
///
/// let key: Key = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4".parse()?;
/// let cookie = key.cookie("192.0.2.1".parse()?, "192.168.0.1".parse()?).expect("both are IPv4");
/// assert_eq!(format!("{cookie:x}"), "3021b9d889017eeb");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; Key::LEN]);

impl Key {
    /// A key's length in bytes.
    pub const LEN: usize = 16;

    /// Takes the key's bytes, as the socket option `TCP_FASTOPEN_KEY` has them.
    pub fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, as the socket option `TCP_FASTOPEN_KEY` has them.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// The cookie that Linux grants to `client` at `server` with this key, or `None` when one address is IPv4 and the other IPv6.
    ///
    /// It is SipHash-2-4 of the two addresses, as eight little-endian bytes; ports play no part. An IPv4 address written as IPv6
    /// (`::ffff:192.0.2.1`) counts as the IPv4 address.
    ///
    /// Source: `net/ipv4/tcp_fastopen.c:__tcp_fastopen_cookie_gen_cipher`.
    pub fn cookie(&self, client: IpAddr, server: IpAddr) -> Option<Cookie> {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        match (client.to_canonical(), server.to_canonical()) {
            (IpAddr::V4(client), IpAddr::V4(server)) => {
                hasher.write(&client.octets());
                hasher.write(&server.octets());
            }
            (IpAddr::V6(client), IpAddr::V6(server)) => {
                hasher.write(&client.octets());
                hasher.write(&server.octets());
            }
            _ => return None,
        }
        Cookie::new(&hasher.finish().to_le_bytes()).ok()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Writes the whole key, as `net.ipv4.tcp_fastopen_key` has it: four groups, each a little-endian number.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, group) in self.0.chunks_exact(4).enumerate() {
            let dash = if i == 0 { "" } else { "-" };
            write!(
                f,
                "{dash}{:02x}{:02x}{:02x}{:02x}",
                group[3], group[2], group[1], group[0]
            )?;
        }
        Ok(())
    }
}

impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut key = Self([0; Self::LEN]);
        let mut groups = groups(text).into_iter();
        for place in key.0.chunks_exact_mut(4) {
            let group = groups.next().ok_or(ParseKeyError)?;
            let is_hex =
                (1..=8).contains(&group.len()) && group.bytes().all(|digit| digit.is_ascii_hexdigit());
            let number = u32::from_str_radix(group, 16)
                .ok()
                .filter(|_| is_hex)
                .ok_or(ParseKeyError)?;
            place.copy_from_slice(&number.to_le_bytes());
        }
        groups.next().map_or(Ok(key), |_| Err(ParseKeyError))
    }
}

/// The four groups of a key: what stands between dashes, or all 32 digits in eights. Without dashes no digit may be left out.
fn groups(text: &str) -> Vec<&str> {
    match text.len() == 2 * Key::LEN && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        true => (0..text.len()).step_by(8).map(|at| &text[at..at + 8]).collect(),
        // One more than there may be, to notice it.
        false => text.splitn(5, '-').collect(),
    }
}

/// The keys of a listener: one that makes cookies, and perhaps an older one whose cookies are still taken.
///
/// A client with a cookie of the backup key is served, and is granted a cookie of the primary one (Linux 5.3).
///
/// ```
/// use fastopen::KeyRing;
///
/// let mut keys: KeyRing = "0-0-0-1".parse()?;
/// keys.rotate("0-0-0-2".parse()?);
/// assert_eq!(keys.to_string(), "00000000-00000000-00000000-00000002,00000000-00000000-00000000-00000001");
/// # Ok::<(), fastopen::ParseKeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRing {
    primary: Key,
    backup: Option<Key>,
}

impl KeyRing {
    /// A ring of one key.
    pub fn new(primary: Key) -> Self {
        Self {
            primary,
            backup: None,
        }
    }

    /// The ring with `backup` as the key whose cookies are still taken.
    #[must_use]
    pub fn with_backup(self, backup: Key) -> Self {
        Self {
            backup: Some(backup),
            ..self
        }
    }

    /// The key that makes cookies.
    pub fn primary(&self) -> &Key {
        &self.primary
    }

    /// The key whose cookies are still taken.
    pub fn backup(&self) -> Option<&Key> {
        self.backup.as_ref()
    }

    /// Makes `primary` the key for new cookies. The one it replaces becomes the backup.
    pub fn rotate(&mut self, primary: Key) {
        self.backup = Some(std::mem::replace(&mut self.primary, primary));
    }
}

impl From<Key> for KeyRing {
    fn from(primary: Key) -> Self {
        Self::new(primary)
    }
}

/// Writes the whole keys, as `net.ipv4.tcp_fastopen_key` has them.
impl fmt::Display for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.primary)?;
        self.backup
            .as_ref()
            .map_or(Ok(()), |backup| write!(f, ",{backup}"))
    }
}

impl FromStr for KeyRing {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(',') {
            None => Ok(Self::new(text.parse()?)),
            Some((primary, backup)) => Ok(Self::new(primary.parse()?).with_backup(backup.parse()?)),
        }
    }
}

/// Text that is not a key, or not one or two keys with a comma between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a Fast Open key is 32 hexadecimal digits, or four groups of up to 8 with dashes between them, such as 0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9"
)]
pub struct ParseKeyError;

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(key: &str, client: &str, server: &str) -> String {
        let key: Key = key.parse().unwrap();
        format!(
            "{:x}",
            key.cookie(client.parse().unwrap(), server.parse().unwrap())
                .unwrap()
        )
    }

    #[test]
    fn cookies_are_those_that_linux_makes() {
        let key = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
        let zero = "0-0-0-0";
        let (v4, v6) = (
            ("192.0.2.1", "192.168.0.1"),
            ("fd3d:fa7b:d17d::1", "fd3d:a0b:17d6::1"),
        );
        assert_eq!(cookie(key, v4.0, v4.1), "3021b9d889017eeb");
        assert_eq!(cookie(key, v6.0, v6.1), "c1d1e9742a47a9bc");
        assert_eq!(cookie(zero, v4.0, v4.1), "b7c12350a90dc8f5");
        assert_eq!(cookie(zero, v6.0, v6.1), "82af1a8f9a205c34");
        assert_eq!(
            cookie("a0bf63f7-ed803d81-cd641d30-cebc4a90", "10.248.0.2", "192.168.0.2"),
            "00abaaabe8e954c2"
        );
    }

    #[test]
    fn a_mapped_address_counts_as_ipv4_and_families_do_not_mix() {
        let key = Key::new([7; 16]);
        let [v4, mapped, v6] =
            ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap());
        assert_eq!(key.cookie(v4, v4), key.cookie(mapped, mapped));
        assert_eq!(key.cookie(v4, v6), None);
    }

    #[test]
    fn the_groups_are_little_endian_numbers() {
        let key = Key::new(std::array::from_fn(|i| i as u8));
        assert_eq!(key.to_string(), "03020100-07060504-0b0a0908-0f0e0d0c");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn leading_zeros_may_be_left_out_as_for_the_sysctl() {
        assert_eq!(
            "1-2-3-4".parse::<Key>(),
            "00000001-00000002-00000003-00000004".parse()
        );
    }

    #[test]
    fn the_dashes_may_be_left_out_and_change_nothing() {
        let dashed: Key = "03020100-07060504-0b0a0908-0f0e0d0c".parse().unwrap();
        assert_eq!("03020100070605040b0a09080f0e0d0c".parse(), Ok(dashed.clone()));
        assert_eq!("03020100070605040B0A09080F0E0D0C".parse(), Ok(dashed));
        let rings = [
            "A1A1A1A1B2B2B2B2C3C3C3C3D4D4D4D4,1-2-3-4",
            "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4,1-2-3-4",
        ];
        let [without, with] = rings.map(|text| text.parse::<KeyRing>().unwrap());
        assert_eq!(without, with);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "1-2-3",
            "1-2-3-4-5",
            "1-2-3-",
            "1-2-3-g",
            "+1-2-3-4",
            "123456789-2-3-4",
            "1-2-3-4 ",
            "1-2-3-4,1-2-3-4",
            "0302010007060504",
            "03020100070605040b0a09080f0e0d0",
            "03020100070605040b0a09080f0e0d0cc",
            "03020100070605040b0a09080f0e0d0g",
            "+3020100070605040b0a09080f0e0d0c",
            "03020100-070605040b0a09080f0e0d0c",
            "ééééééééééééééé00",
        ] {
            assert_eq!(text.parse::<Key>(), Err(ParseKeyError), "{text:?}");
        }
        for text in ["", ",", "1-2-3-4,", "1-2-3-4,1-2-3-4,1-2-3-4"] {
            assert_eq!(text.parse::<KeyRing>(), Err(ParseKeyError), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_key() {
        let ring = KeyRing::new(Key::new([0xab; 16])).with_backup(Key::new([0xcd; 16]));
        assert_eq!(
            format!("{ring:?}"),
            "KeyRing { primary: Key(…), backup: Some(Key(…)) }"
        );
    }
}
