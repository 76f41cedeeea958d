//! Backslashes as in C.

/// Reads `\r`, `\n`, `\t`, `\0`, `\\` and `\x1f`.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>, EscapeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'\\') => b'\\',
                Some(b'x') => hex(&mut rest)?,
                Some(other) => return Err(EscapeError::Unknown(char::from(other))),
                None => return Err(EscapeError::Alone),
            },
            byte => byte,
        });
    }
    Ok(bytes)
}

fn hex(digits: &mut impl Iterator<Item = u8>) -> Result<u8, EscapeError> {
    let mut digit = || {
        let digit = char::from(digits.next()?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    match (digit(), digit()) {
        (Some(high), Some(low)) => Ok(high << 4 | low),
        _ => Err(EscapeError::Digits),
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EscapeError {
    #[error("\\{0} means nothing")]
    Unknown(char),
    #[error("there is nothing behind the last backslash")]
    Alone,
    #[error("\\x takes two hexadecimal digits")]
    Digits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_written() {
        assert_eq!(
            unescape(r"GET / HTTP/1.0\r\n\r\n").unwrap(),
            b"GET / HTTP/1.0\r\n\r\n"
        );
        assert_eq!(unescape(r"\x00\xfF\0\t\\n").unwrap(), b"\x00\xff\0\t\\n");
        assert_eq!(unescape("größe").unwrap(), "größe".as_bytes());
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(unescape(r"\q"), Err(EscapeError::Unknown('q')));
        assert_eq!(unescape(r"a\"), Err(EscapeError::Alone));
        for text in [r"\x", r"\x1", r"\x1g", r"\xg1"] {
            assert_eq!(unescape(text), Err(EscapeError::Digits), "{text}");
        }
    }
}
