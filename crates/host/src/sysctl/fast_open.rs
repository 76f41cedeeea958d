//! `net.ipv4.tcp_fastopen`, bit by bit.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

/// The bits of `net.ipv4.tcp_fastopen`.
///
/// Bits that this crate has no name for are kept, and shown in hexadecimal.
///
/// ```
/// use fastopen_host::sysctl::FastOpenBits;
///
/// let bits: FastOpenBits = "3".parse()?;
/// assert_eq!(bits, FastOpenBits::CLIENT | FastOpenBits::SERVER);
/// assert_eq!(bits.to_string(), "client,server");
/// assert_eq!("client,every-listener,0x800".parse::<FastOpenBits>()?.bits(), 0xc01);
/// # Ok::<(), fastopen_host::sysctl::ParseFastOpenBitsError>(())
/// ```
///
/// Source: `Documentation/networking/ip-sysctl.rst`, `include/net/tcp.h` (`TFO_CLIENT_ENABLE` and those that follow).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FastOpenBits(u32);

impl FastOpenBits {
    /// Programs may connect with data in the SYN.
    pub const CLIENT: Self = Self(0x1);
    /// Listeners that ask for it accept data in a SYN.
    pub const SERVER: Self = Self(0x2);
    /// A client sends data in the SYN although it has no cookie.
    pub const CLIENT_NO_COOKIE: Self = Self(0x4);
    /// A server accepts data in a SYN that has no cookie; it then never grants any, so that ordinary clients never send data to it.
    pub const SERVER_NO_COOKIE: Self = Self(0x200);
    /// Every listener made from now on uses Fast Open without asking for it; needs [`SERVER`](Self::SERVER) too.
    pub const EVERY_LISTENER: Self = Self(0x400);

    /// The named bits, and the names that [`Display`](fmt::Display) writes and [`FromStr`] takes.
    pub const NAMED: &[(Self, &'static str)] = &[
        (Self::CLIENT, "client"),
        (Self::SERVER, "server"),
        (Self::CLIENT_NO_COOKIE, "client-no-cookie"),
        (Self::SERVER_NO_COOKIE, "server-no-cookie"),
        (Self::EVERY_LISTENER, "every-listener"),
    ];

    /// Takes the number that the sysctl holds, unknown bits included.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The number that the sysctl holds.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of these bits are on.
    pub const fn contains(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// The same with these bits off.
    #[must_use]
    pub const fn without(self, bits: Self) -> Self {
        Self(self.0 & !bits.0)
    }

    /// The bits that are on and that this crate has no name for.
    #[must_use]
    pub fn unknown(self) -> Self {
        Self::NAMED.iter().fold(self, |rest, &(bit, _)| rest.without(bit))
    }
}

impl BitOr for FastOpenBits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for FastOpenBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        let mut separator = "";
        for (_, name) in Self::NAMED.iter().filter(|&&(bit, _)| self.contains(bit)) {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        match self.unknown().0 {
            0 => Ok(()),
            unknown => write!(f, "{separator}{unknown:#x}"),
        }
    }
}

impl fmt::Debug for FastOpenBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FastOpenBits({:#x}: {self})", self.0)
    }
}

impl FromStr for FastOpenBits {
    type Err = ParseFastOpenBitsError;

    /// Takes names and numbers (decimal, or hexadecimal behind `0x`), with commas between them. The kernel holds a signed number, so
    /// that `-1` is every bit.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim()
            .split(',')
            .map(str::trim)
            .try_fold(Self(0), |bits, word| {
                parse_word(word)
                    .map(|more| bits | more)
                    .ok_or_else(|| ParseFastOpenBitsError {
                        word: word.chars().take(32).collect(),
                    })
            })
    }
}

fn parse_word(word: &str) -> Option<FastOpenBits> {
    if word == "none" {
        return Some(FastOpenBits(0));
    }
    if let Some((bit, _)) = FastOpenBits::NAMED.iter().find(|(_, name)| *name == word) {
        return Some(*bit);
    }
    if let Some(digits) = word.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok().map(FastOpenBits);
    }
    word.parse::<u32>()
        .or_else(|_| word.parse::<i32>().map(|value| value as u32))
        .ok()
        .map(FastOpenBits)
}

/// Text that says no bits of `net.ipv4.tcp_fastopen`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{word:?} is neither a number nor one of none, client, server, client-no-cookie, server-no-cookie, every-listener"
)]
pub struct ParseFastOpenBitsError {
    /// The word that could not be taken, cut to 32 characters.
    pub word: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_text_is_taken() {
        for (text, bits) in [
            ("1\n", 0x1),
            ("3\n", 0x3),
            ("1539\n", 0x603),
            ("0\n", 0),
            ("-1\n", 0xffff_ffff),
        ] {
            assert_eq!(text.parse(), Ok(FastOpenBits(bits)), "{text:?}");
        }
    }

    #[test]
    fn unknown_bits_are_kept_and_shown() {
        let bits = FastOpenBits(0x903);
        assert_eq!(bits.to_string(), "client,server,0x900");
        assert_eq!(bits.unknown(), FastOpenBits(0x900));
        assert_eq!(bits.without(FastOpenBits::CLIENT).bits(), 0x902);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            " ",
            "client,",
            "servr",
            "0x",
            "0x1ffffffff",
            "4294967296",
            "1 2",
        ] {
            assert!(text.parse::<FastOpenBits>().is_err(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn text_is_taken_back(bits: u32) {
            let bits = FastOpenBits(bits);
            assert_eq!(bits.to_string().parse(), Ok(bits));
        }

        #[test]
        fn any_text_is_taken_or_refused(text: String) {
            let _ = text.parse::<FastOpenBits>();
        }
    }
}
