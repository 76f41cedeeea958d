//! What counts as a secret. Pure.

use anyhow::{Context, anyhow};
use fastopen::Secret;
use zeroize::Zeroizing;

use super::LONGEST;
use crate::hint::Hint;

/// 32 bytes as they stand, or 64 hexadecimal digits; the line end that stores and editors add is not part of it.
pub(super) fn decode(bytes: &[u8]) -> anyhow::Result<Secret> {
    let without_line_end = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let secret = match (bytes.len(), without_line_end.len()) {
        (Secret::LEN, _) => raw(bytes),
        (_, Secret::LEN) => raw(without_line_end),
        (_, 64) => hexadecimal(without_line_end),
        _ => None,
    };
    let secret = secret.with_context(|| match bytes.len() as u64 {
        LONGEST => format!("it has {LONGEST} bytes or more, and a secret has 32, or 64 hexadecimal digits"),
        length => format!("it has {length} bytes, and a secret has 32, or 64 hexadecimal digits"),
    });
    secret.hint("to make one: tfo keys generate --secret FILE")?
}

fn raw(bytes: &[u8]) -> Option<anyhow::Result<Secret>> {
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Some(Err(anyhow!(
            "all its bytes are the same: it was not written to its end, or is no secret"
        )));
    }
    Some(Secret::try_from(bytes).map_err(Into::into))
}

fn hexadecimal(digits: &[u8]) -> Option<anyhow::Result<Secret>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(Secret::LEN));
    for pair in digits.chunks_exact(2) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        bytes.push(u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?);
    }
    raw(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        (100..132).collect()
    }

    fn secret() -> Secret {
        Secret::new(bytes().try_into().unwrap())
    }

    #[test]
    fn it_is_taken_as_files_and_stores_have_it() {
        let hexadecimal: String = bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        let with_line_end = |bytes: &[u8]| [bytes, b"\n"].concat();
        for text in [
            bytes(),
            with_line_end(&bytes()),
            hexadecimal.clone().into_bytes(),
            with_line_end(hexadecimal.as_bytes()),
        ] {
            assert_eq!(decode(&text).unwrap(), secret(), "{text:?}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_shown() {
        for (text, told) in [
            (&b""[..], "it has 0 bytes"),
            (b"correct horse battery staple", "it has 28 bytes"),
            (&[b'z'; 64], "64 hexadecimal digits"),
            (&[0; 32], "all its bytes are the same"),
            (&[b'0'; 64], "all its bytes are the same"),
            (&[7; 256], "256 bytes or more"),
        ] {
            let error = format!("{:#}", decode(text).unwrap_err());
            assert!(error.contains(told) && !error.contains("horse"), "{error}");
        }
    }
}
