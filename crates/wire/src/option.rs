//! TCP options, and the Fast Open option among them.

use crate::cookie::Cookie;

/// The option's number (RFC 7413, section 4.1.1).
const FAST_OPEN: u8 = 34;
/// The experimental option number, shared by many experiments (RFC 6994).
const EXPERIMENTAL: u8 = 254;
/// What marks an experimental option as Fast Open.
const EXPERIMENT_ID: [u8; 2] = [0xf9, 0x89];

const END: u8 = 0;
const NO_OPERATION: u8 = 1;

/// One option of a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOption<'a> {
    /// The option's number.
    pub kind: u8,
    /// What follows the kind and length bytes; empty for a no-operation.
    pub data: &'a [u8],
    /// Where the option's kind byte stands in the options.
    pub offset: usize,
}

/// Options that can't be walked further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the option of kind {kind} at byte {offset} says a length of {len}, which {left} bytes can't hold")]
pub struct OptionsError {
    /// The option's number.
    pub kind: u8,
    /// The length that it claims, kind and length bytes included; 0 where the length byte itself is missing.
    pub len: u8,
    /// Where it stands in the options.
    pub offset: usize,
    /// How many bytes there were from its kind byte on.
    pub left: usize,
}

/// Walks the options of a TCP header, up to the end marker or the first one that can't be.
///
/// ```
/// use fastopen_wire::Options;
///
/// let kinds: Vec<u8> = Options::new(&[2, 4, 5, 0xb4, 1, 3, 3, 7, 0, 9]).flatten().map(|option| option.kind).collect();
/// assert_eq!(kinds, [2, 1, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct Options<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Options<'a> {
    /// Takes the bytes between the fixed TCP header and the payload.
    pub fn new(options: &'a [u8]) -> Self {
        Self {
            bytes: options,
            offset: 0,
        }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<RawOption<'a>, OptionsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.offset;
        let left = self.bytes.get(offset..)?;
        let (&kind, rest) = left.split_first()?;
        let len = match kind {
            END => return None,
            NO_OPERATION => 1,
            _ => rest.first().copied().unwrap_or(0),
        };
        let data = if kind == NO_OPERATION {
            Some(&[][..])
        } else {
            left.get(2..usize::from(len))
        };
        let Some(data) = data else {
            self.offset = self.bytes.len();
            return Some(Err(OptionsError {
                kind,
                len,
                offset,
                left: left.len(),
            }));
        };
        self.offset += usize::from(len);
        Some(Ok(RawOption { kind, data, offset }))
    }
}

/// Which of its two numbers the Fast Open option travels under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptionKind {
    /// 34, assigned by RFC 7413.
    Standard,
    /// 254 with 0xF989 in front, from before RFC 7413: Linux still falls back to it once after an unanswered request.
    Experimental,
}

impl OptionKind {
    /// The number in the option's kind byte: 34 or 254.
    pub fn number(self) -> u8 {
        match self {
            Self::Standard => FAST_OPEN,
            Self::Experimental => EXPERIMENTAL,
        }
    }
}

/// What a TCP header says of Fast Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FastOpen {
    /// There is no Fast Open option.
    Absent,
    /// An empty option: the client asks for a cookie.
    Request(OptionKind),
    /// A cookie: in a SYN the client presents it, in a SYN-ACK the server grants it.
    Cookie(OptionKind, Cookie),
    /// The option is there with a number of bytes that no cookie has; receivers ignore it.
    Malformed {
        /// The number it came under.
        kind: OptionKind,
        /// How many bytes stood where the cookie belongs.
        cookie_len: usize,
    },
}

/// Finds the Fast Open option among a TCP header's options.
///
/// Where there are several the last one counts, as it does for Linux (`net/ipv4/tcp_input.c:tcp_parse_options`). An option behind
/// one that can't be walked over is not found, nor is it by receivers.
pub fn fast_open(options: &[u8]) -> FastOpen {
    Options::new(options)
        .map_while(Result::ok)
        .filter_map(|option| recognise(&option))
        .last()
        .unwrap_or(FastOpen::Absent)
}

fn recognise(option: &RawOption<'_>) -> Option<FastOpen> {
    let (kind, cookie) = match option.kind {
        FAST_OPEN => (OptionKind::Standard, option.data),
        EXPERIMENTAL => (
            OptionKind::Experimental,
            option.data.strip_prefix(&EXPERIMENT_ID)?,
        ),
        _ => return None,
    };
    Some(match Cookie::new(cookie) {
        Ok(cookie) => FastOpen::Cookie(kind, cookie),
        Err(_) if cookie.is_empty() => FastOpen::Request(kind),
        Err(_) => FastOpen::Malformed {
            kind,
            cookie_len: cookie.len(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EIGHT: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn both_kinds_are_recognised() {
        let cookie = Cookie::new(&EIGHT).unwrap();
        let standard = [&[1, 1, 34, 10][..], &EIGHT].concat();
        let experimental = [&[254, 12, 0xf9, 0x89][..], &EIGHT].concat();
        assert_eq!(
            fast_open(&standard),
            FastOpen::Cookie(OptionKind::Standard, cookie)
        );
        assert_eq!(
            fast_open(&experimental),
            FastOpen::Cookie(OptionKind::Experimental, cookie)
        );
        assert_eq!(
            fast_open(&[254, 4, 0xf9, 0x89]),
            FastOpen::Request(OptionKind::Experimental)
        );
        assert_eq!(fast_open(&[254, 4, 0xf9, 0x88]), FastOpen::Absent);
    }

    #[test]
    fn impossible_lengths_are_told_not_trusted() {
        for cookie_len in [1, 2, 3, 5, 7, 9, 17, 18] {
            let options = [&[34, cookie_len as u8 + 2][..], &vec![0; cookie_len]].concat();
            assert_eq!(
                fast_open(&options),
                FastOpen::Malformed {
                    kind: OptionKind::Standard,
                    cookie_len
                }
            );
        }
    }

    #[test]
    fn a_broken_option_ends_the_walk() {
        for broken in [&[34][..], &[34, 0], &[34, 1], &[34, 3], &[2, 40, 0, 0]] {
            let walked: Vec<_> = Options::new(broken).collect();
            assert!(
                matches!(walked[..], [Err(OptionsError { offset: 0, .. })]),
                "{broken:?}: {walked:?}"
            );
            assert_eq!(fast_open(broken), FastOpen::Absent);
        }
    }

    #[test]
    fn nothing_behind_the_end_counts() {
        assert_eq!(fast_open(&[0, 34, 2]), FastOpen::Absent);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_walked(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let mut covered = 0;
            for option in Options::new(&bytes).flatten() {
                assert_eq!(option.offset, covered);
                covered += option.data.len() + if option.kind == 1 { 1 } else { 2 };
            }
            assert!(covered <= bytes.len());
            fast_open(&bytes);
        }
    }
}
