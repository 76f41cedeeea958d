//! Whether what an HTTP client writes first may be replayed: bytes in, verdict out. Whatever is not known to be safe is not.

mod http1;
mod http2;

use http1::is_safe_request;
use http2::are_safe_frames;
pub(super) use http2::{PREFACE, has_whole_request};

/// Whether a server that sees these first bytes twice does no harm.
pub(crate) fn is_replay_safe(bytes: &[u8]) -> bool {
    match bytes {
        [0x16, 3, ..] => is_hello(bytes),
        _ => match bytes.strip_prefix(PREFACE) {
            Some(frames) => are_safe_frames(frames),
            None => is_safe_request(bytes),
        },
    }
}

/// TLS: a ClientHello, and no record of early data behind it (RFC 8446, sections 5.1 and 8).
fn is_hello(mut bytes: &[u8]) -> bool {
    const CHANGE_CIPHER_SPEC: u8 = 20;
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    if bytes.get(5) != Some(&CLIENT_HELLO) {
        return false;
    }
    while let [CHANGE_CIPHER_SPEC | HANDSHAKE, 3, _, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        bytes = rest.get(len..).unwrap_or_default();
    }
    bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind, 3, 1, 0, payload.len() as u8], payload].concat()
    }

    #[test]
    fn hellos() {
        let hello = record(22, &[1, 0, 0, 1, 7]);
        let (cipher_spec, early) = (record(20, &[1]), record(23, b"POST"));
        for (why, safe, bytes) in [
            ("a hello", true, hello.clone()),
            ("one longer than the first flight", true, hello[..7].to_vec()),
            ("for middleboxes", true, [&hello[..], &cipher_spec].concat()),
            (
                "with early data",
                false,
                [&hello[..], &cipher_spec, &early].concat(),
            ),
            ("a ServerHello", false, record(22, &[2, 0, 0, 0])),
        ] {
            assert_eq!(is_replay_safe(&bytes), safe, "{why}");
        }
    }

    proptest! {
        /// Only the four methods are ever let through in HTTP/1.
        #[test]
        fn other_methods_wait(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let safe = http1::SAFE.iter().any(|method| bytes.starts_with(method));
            if !bytes.starts_with(&[0x16, 3]) {
                prop_assert!(safe || !is_replay_safe(&bytes));
            }
        }

        #[test]
        fn any_tail_is_survived(tail in prop::collection::vec(any::<u8>(), 0..100)) {
            is_replay_safe(&[PREFACE, &tail].concat());
            has_whole_request(&[PREFACE, &tail].concat());
            is_replay_safe(&[&[0x16, 3, 1, 0, 2, 1, 0][..], &tail].concat());
        }
    }
}
