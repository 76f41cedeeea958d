//! Keys that follow from a shared secret and the time, so that servers agree on them without talking to each other.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blake2::Blake2bMac;
use blake2::digest::FixedOutput;
use blake2::digest::consts::U16;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{Key, KeyRing};

/// What a fleet of servers shares: 32 secret bytes from which its keys follow.
///
/// `Debug` shows nothing of it. The bytes have one place in memory, however often the secret is moved, and are wiped when it is dropped.
///
/// ```
/// use fastopen::Secret;
///
/// let read = *b"what a file of the fleet's holds";
/// let secret = Secret::try_from(&read[..])?;
/// assert_eq!(format!("{secret:?}"), "Secret(…)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8; Secret::LEN]>);

impl Secret {
    /// A secret's length in bytes.
    pub const LEN: usize = 32;

    /// Takes the secret's bytes. They should come from a random generator, such as `getrandom(2)`.
    ///
    /// The array may leave a copy where it was: from a buffer that is wiped use `try_from`.
    pub fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(Box::new(bytes))
    }
}

/// Copies the bytes, and leaves no other copy behind.
impl TryFrom<&[u8]> for Secret {
    type Error = SecretLengthError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        if bytes.len() != Self::LEN {
            return Err(SecretLengthError { len: bytes.len() });
        }
        let mut secret = Self::new([0; Self::LEN]);
        secret.0.copy_from_slice(bytes);
        Ok(secret)
    }
}

/// A number of bytes that no secret has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret has 32 bytes, not {len}")]
pub struct SecretLengthError {
    /// How many bytes there were.
    pub len: usize,
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The schedule of keys that all servers with the same secret and interval follow.
///
/// Time is counted in periods of one interval since 1970. A period's key is the primary one throughout it; the backup is the key of
/// the period before in the first half, and of the one to come in the second. So the next key is known half an interval before it
/// makes cookies, and a server may be early or late by nearly that much without refusing a cookie of the others.
///
/// This is the schedule, and these are the keys, of [tofurkey](https://github.com/blblack/tofurkey): subkey n is BLAKE2b (RFC 7693) of no
/// input, 16 bytes long, with the secret as the key, n as a little-endian 64-bit number in the salt, and `tofurkey` as the
/// personalization.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use fastopen::{Rotation, Secret};
///
/// let rotation = Rotation::new(Secret::new([7; 32]), Duration::from_secs(86_400))?;
/// let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let later = rotation.next_change(now);
/// assert_ne!(rotation.keys(now), rotation.keys(later));
/// assert!(later.duration_since(now)? <= Duration::from_secs(43_202));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rotation {
    secret: Secret,
    /// In seconds; even, so that half of it is a whole number.
    interval: u64,
}

impl Rotation {
    /// The interval unless somebody chooses another: a day.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
    /// The shortest interval.
    pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
    /// The longest interval: a week.
    pub const LONGEST_INTERVAL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// How long after each half of an interval the keys change, so that a clock that is a little fast does not change them early.
    pub const MARGIN: Duration = Duration::from_secs(2);

    /// Keys that follow from that secret and change with that interval.
    ///
    /// # Errors
    /// The interval is not an even number of seconds from 10 seconds to 7 days.
    pub fn new(secret: Secret, interval: Duration) -> Result<Self, IntervalError> {
        let allowed = (Self::SHORTEST_INTERVAL..=Self::LONGEST_INTERVAL).contains(&interval);
        if !allowed || interval.subsec_nanos() != 0 || interval.as_secs() % 2 != 0 {
            return Err(IntervalError(interval));
        }
        Ok(Self {
            secret,
            interval: interval.as_secs(),
        })
    }

    /// How long each key is the primary one.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval)
    }

    /// Which period that time lies in. A time before 1970 counts as 1970: such a clock was not set.
    pub fn period(&self, now: SystemTime) -> u64 {
        seconds(now) / self.interval
    }

    /// The keys for that time.
    pub fn keys(&self, now: SystemTime) -> KeyRing {
        let period = self.period(now);
        let in_first_half = seconds(now) % self.interval < self.interval / 2;
        // Before the first period there is none; its own key does for a backup.
        let backup = if in_first_half {
            period.saturating_sub(1)
        } else {
            period + 1
        };
        KeyRing::new(self.key(period)).with_backup(self.key(backup))
    }

    /// When the keys are to be changed next: [`MARGIN`](Self::MARGIN) after the next half of an interval begins.
    pub fn next_change(&self, now: SystemTime) -> SystemTime {
        let half = self.interval / 2;
        let next = (seconds(now) / half + 1) * half;
        UNIX_EPOCH + Duration::from_secs(next) + Self::MARGIN
    }

    /// The key of one period.
    pub fn key(&self, period: u64) -> Key {
        let mut salt = [0; 16];
        salt[..8].copy_from_slice(&period.to_le_bytes());
        let mac = Blake2bMac::<U16>::new_with_salt_and_personal(
            Some(&self.secret.0[..]),
            &salt,
            b"tofurkey\0\0\0\0\0\0\0\0",
        );
        let mac = mac.expect("key, salt and personalization have the lengths that BLAKE2b takes");
        let mut subkey = Zeroizing::new(<[u8; Key::LEN]>::from(mac.finalize_fixed()));
        // The sysctl's text is these bytes in order, and the kernel reads each group of four as a little-endian number.
        subkey.chunks_exact_mut(4).for_each(<[u8]>::reverse);
        wipe_stack();
        Key::new(*subkey)
    }
}

/// Overwrites the stack that calls before it have used: BLAKE2b works on a copy of its key there, and leaves it.
#[inline(never)]
fn wipe_stack() {
    let mut used = [0_u8; 8192];
    used.zeroize();
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// An interval that keys can't follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no interval for keys: it takes an even number of seconds, from 10 seconds to 7 days")]
pub struct IntervalError(Duration);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rotation(interval: u64) -> Rotation {
        let secret = std::array::from_fn(|i| i as u8);
        Rotation::new(Secret::new(secret), Duration::from_secs(interval)).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Computed with Python: `hashlib.blake2b(digest_size=16, key=bytes(range(32)), salt=n.to_bytes(8, "little") + bytes(8),
    /// person=b"tofurkey" + bytes(8)).hexdigest()`.
    #[test]
    fn subkeys_are_those_of_rfc_7693() {
        for (period, text) in [
            (0, "0ca9a0bc-cb2ecea8-e86f170f-efe88d88"),
            (1, "49ee1013-34a8704d-bd3a8326-89ebe6ef"),
            (20_784, "fd9d0b12-8a3778d3-639cf6b7-9ca10866"),
            ((1 << 63) + 5, "866453a3-0dfe5f08-1400b166-b0eca7b9"),
        ] {
            assert_eq!(rotation(86_400).key(period).to_string(), text, "{period}");
        }
    }

    #[test]
    fn the_backup_is_the_last_key_and_then_the_next() {
        let rotation = rotation(100);
        for (seconds, primary, backup, change) in [
            (0, 0, 0, 52),
            (49, 0, 0, 52),
            (50, 0, 1, 102),
            (99, 0, 1, 102),
            (100, 1, 0, 152),
            (1_049, 10, 9, 1_052),
            (1_050, 10, 11, 1_102),
        ] {
            let keys = KeyRing::new(rotation.key(primary)).with_backup(rotation.key(backup));
            assert_eq!(rotation.keys(at(seconds)), keys, "{seconds}");
            assert_eq!(rotation.next_change(at(seconds)), at(change), "{seconds}");
        }
    }

    #[test]
    fn a_clock_that_was_not_set_is_survived() {
        let before = UNIX_EPOCH - Duration::from_secs(5);
        assert_eq!(rotation(10).keys(before), rotation(10).keys(UNIX_EPOCH));
    }

    #[test]
    fn intervals_are_even_and_neither_short_nor_long() {
        let secret = Secret::new([0; 32]);
        for (interval, allowed) in [
            (Duration::from_secs(10), true),
            (Duration::from_secs(8), false),
            (Duration::from_secs(11), false),
            (Duration::from_millis(10_500), false),
            (Duration::from_secs(604_800), true),
            (Duration::from_secs(604_802), false),
        ] {
            assert_eq!(
                Rotation::new(secret.clone(), interval).is_ok(),
                allowed,
                "{interval:?}"
            );
        }
    }

    #[test]
    fn nothing_of_the_secret_is_shown() {
        assert_eq!(format!("{:?}", Secret::new([7; 32])), "Secret(…)");
    }

    proptest! {
        /// Whatever cookie one server grants another takes, as long as their clocks differ by less than half an interval.
        #[test]
        fn servers_whose_clocks_differ_take_each_others_cookies(
            now in 1_000_000_u64..4_000_000_000,
            interval in (5_u64..302_400).prop_map(|half| half * 2),
            apart in 0.0..1.0_f64,
        ) {
            let rotation = rotation(interval);
            let apart = (apart * (interval / 2) as f64) as u64;
            let (one, other) = (rotation.keys(at(now)), rotation.keys(at(now + apart)));
            let takes = |keys: &KeyRing, key: &Key| keys.primary() == key || keys.backup() == Some(key);
            prop_assert!(takes(&one, other.primary()) && takes(&other, one.primary()));
        }
    }
}
