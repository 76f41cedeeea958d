//! The Fast Open cookie as bytes, whoever made it.

use std::fmt;
use std::str::FromStr;

/// A Fast Open cookie: 4 to 16 bytes, an even number of them (RFC 7413, section 4.1.1).
///
/// Linux grants 8 bytes; other systems grant other lengths. A cookie is a bearer token for the client's address, so `Display` and
/// `Debug` shorten it; `{:x}` prints it whole.
///
/// ```
/// use fastopen_wire::Cookie;
///
/// let cookie: Cookie = "3021b9d889017eeb".parse()?;
/// assert_eq!(cookie.as_bytes().len(), 8);
/// assert_eq!(cookie.to_string(), "3021b9…");
/// assert_eq!(format!("{cookie:x}"), "3021b9d889017eeb");
/// # Ok::<(), fastopen_wire::ParseCookieError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie {
    bytes: [u8; Cookie::MAX_LEN],
    len: u8,
}

impl Cookie {
    /// The shortest cookie, in bytes.
    pub const MIN_LEN: usize = 4;
    /// The longest cookie, in bytes.
    pub const MAX_LEN: usize = 16;

    /// Takes the cookie's bytes.
    ///
    /// # Errors
    /// [`CookieLengthError`] unless there are 4 to 16 bytes, an even number of them.
    pub fn new(cookie: &[u8]) -> Result<Self, CookieLengthError> {
        let len = cookie.len();
        if !(Self::MIN_LEN..=Self::MAX_LEN).contains(&len) || len % 2 != 0 {
            return Err(CookieLengthError { len });
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..len].copy_from_slice(cookie);
        Ok(Self {
            bytes,
            len: len as u8,
        })
    }

    /// The cookie's bytes, in the order in which they travel.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = (self.as_bytes().len() / 2).min(3);
        self.as_bytes()[..shown]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({self})")
    }
}

impl fmt::LowerHex for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cookie {
    type Err = ParseCookieError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() > 2 * Self::MAX_LEN || digits.len() % 2 != 0 {
            return Err(ParseCookieError::Digits);
        }
        let mut bytes = [0; Self::MAX_LEN];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16).ok_or(ParseCookieError::Digits)?;
            let low = char::from(pair[1]).to_digit(16).ok_or(ParseCookieError::Digits)?;
            *byte = (high << 4 | low) as u8;
        }
        Ok(Self::new(&bytes[..digits.len() / 2])?)
    }
}

/// A number of bytes that no cookie can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cookie has 4 to 16 bytes, an even number of them, not {len}")]
pub struct CookieLengthError {
    /// How many bytes there were.
    pub len: usize,
}

/// Text that is not a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCookieError {
    /// Something other than pairs of hexadecimal digits, or more than 32 of them.
    #[error("a cookie is written as 8 to 32 hexadecimal digits, such as 3021b9d889017eeb")]
    Digits,
    /// A number of bytes that no cookie can have.
    #[error(transparent)]
    Length(#[from] CookieLengthError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_even_lengths_from_4_to_16() {
        for len in 0..40 {
            let fits = (4..=16).contains(&len) && len % 2 == 0;
            assert_eq!(Cookie::new(&vec![7; len]).is_ok(), fits, "{len} bytes");
        }
    }

    #[test]
    fn text_is_taken_back() {
        let cookie = Cookie::new(&[0, 1, 0xab, 0xff]).unwrap();
        assert_eq!(format!("{cookie:x}").parse(), Ok(cookie));
        assert_eq!("0001ABFF".parse(), Ok(cookie));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "3",
            "30zz",
            "3021b9d889017eeb0",
            "é0é0",
            "+1+2+3+4",
            &"00".repeat(17),
        ] {
            assert!(text.parse::<Cookie>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn display_never_shows_it_whole() {
        for len in [4, 6, 8, 16] {
            let cookie = Cookie::new(&vec![0x5a; len]).unwrap();
            assert!(cookie.to_string().matches("5a").count() < len);
        }
    }
}
