//! Whether what an HTTP client writes first may be replayed: bytes in, verdict out. Whatever is not known to be safe is not.

/// What begins a connection of HTTP/2 (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Safe methods, with the space behind them (RFC 9110, section 9.2.1).
const SAFE: [&[u8]; 4] = [b"GET ", b"HEAD ", b"OPTIONS ", b"TRACE "];

/// Whether a server that sees these first bytes twice does no harm.
pub(crate) fn is_replay_safe(bytes: &[u8]) -> bool {
    match bytes {
        [0x16, 3, ..] => is_hello(bytes),
        _ => match bytes.strip_prefix(PREFACE) {
            Some(frames) => Frames(frames).all(|frame| frame.is_some_and(|frame| frame.is_replay_safe())),
            None => is_safe_request(bytes),
        },
    }
}

/// Whether a request to its end follows HTTP/2's preface.
pub(super) fn has_whole_request(bytes: &[u8]) -> bool {
    let frames = bytes.strip_prefix(PREFACE).unwrap_or_default();
    Frames(frames).flatten().any(|frame| frame.ends_a_request())
}

/// HTTP/1: one request with a safe method, and nothing behind its head.
fn is_safe_request(bytes: &[u8]) -> bool {
    let safe = SAFE.iter().any(|method| bytes.starts_with(method));
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    safe && head_end.is_none_or(|end| end + 4 == bytes.len())
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

/// The frames of HTTP/2 (RFC 9113, section 4.1). One that is not whole is `None`, and the last.
struct Frames<'a>(&'a [u8]);

struct Frame<'a> {
    kind: u8,
    flags: u8,
    payload: &'a [u8],
}

impl<'a> Iterator for Frames<'a> {
    type Item = Option<Frame<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let [a, b, c, kind, flags, _, _, _, _, rest @ ..] = std::mem::take(&mut self.0) else {
            return Some(None);
        };
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(len) else {
            return Some(None);
        };
        self.0 = rest;
        Some(Some(Frame {
            kind: *kind,
            flags: *flags,
            payload,
        }))
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

impl Frame<'_> {
    /// It is about the connection; or a request without a body that says first that it is a GET (RFC 7541, appendix A).
    fn is_replay_safe(&self) -> bool {
        const PRIORITY: u8 = 2;
        const SETTINGS: u8 = 4;
        const PING: u8 = 6;
        const WINDOW_UPDATE: u8 = 8;
        const END_HEADERS: u8 = 4;
        const METHOD_GET: u8 = 0x82;
        match self.kind {
            PRIORITY | SETTINGS | PING | WINDOW_UPDATE => true,
            // Other flags, such as padding, move the first field; no client that is known does that.
            HEADERS => self.flags == END_STREAM | END_HEADERS && self.payload.first() == Some(&METHOD_GET),
            _ => false,
        }
    }

    fn ends_a_request(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests() {
        for (bytes, safe) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("HEAD / HTTP/1.1\r\n\r\n", true),
            ("OPTIONS * HTTP/1.1\r\n\r\n", true),
            ("GET /very-long", true),
            ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", false),
            ("GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\n", false),
            ("POST / HTTP/1.1\r\n\r\n", false),
            ("PUT / HTTP/1.1\r\n\r\n", false),
            ("DELETE / HTTP/1.1\r\n\r\n", false),
            ("GETAWAY / HTTP/1.1\r\n\r\n", false),
            ("get / HTTP/1.1\r\n\r\n", false),
            ("G", false),
            ("", false),
            ("220 smtp.example.com", false),
        ] {
            assert_eq!(is_replay_safe(bytes.as_bytes()), safe, "{bytes}");
        }
    }

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

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn http2() {
        let opening = [PREFACE, &frame(4, 0, &[0; 6]), &frame(8, 0, &[0; 4])].concat();
        let get = frame(1, 5, &[0x82, 0x86]);
        for (why, safe, frames) in [
            ("nothing else", true, vec![]),
            ("a GET", true, vec![get.clone()]),
            ("two", true, vec![get.clone(), get.clone()]),
            ("a POST", false, vec![frame(1, 5, &[0x83, 0x86])]),
            ("a GET and a POST", false, vec![get.clone(), frame(1, 5, &[0x83])]),
            ("a GET with a body", false, vec![frame(1, 4, &[0x82])]),
            ("fields that go on elsewhere", false, vec![frame(1, 1, &[0x82])]),
            ("data", false, vec![frame(0, 1, b"x")]),
            ("no field", false, vec![frame(1, 5, &[])]),
            ("half a frame", false, vec![get[..10].to_vec()]),
            ("half a frame's head", false, vec![get.clone(), vec![0]]),
        ] {
            let bytes = [&opening[..], &frames.concat()].concat();
            assert_eq!(is_replay_safe(&bytes), safe, "{why}");
        }
    }

    #[test]
    fn a_request_is_whole_when_its_stream_ends() {
        let after = |frames: &[Vec<u8>]| has_whole_request(&[PREFACE, &frames.concat()].concat());
        let call = frame(1, 4, &[0x83]);
        assert!(!after(&[frame(4, 0, &[])]));
        assert!(!after(std::slice::from_ref(&call)));
        assert!(after(&[call.clone(), frame(0, 1, b"x")]));
        assert!(!after(&[call, frame(0, 0, b"x")]));
        assert!(after(&[frame(4, 0, &[]), frame(1, 5, &[0x82])]));
    }

    proptest! {
        /// Only the four methods are ever let through in plain HTTP/1.
        #[test]
        fn other_methods_wait(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let safe = SAFE.iter().any(|method| bytes.starts_with(method));
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
