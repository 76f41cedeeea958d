//! Whether what an HTTP client writes first may be replayed: bytes in, verdict out. Whatever is not known to be safe is not.

/// What begins a connection of HTTP/2 (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Safe methods, with the space behind them (RFC 9110, section 9.2.1).
const SAFE: [&[u8]; 4] = [b"GET ", b"HEAD ", b"OPTIONS ", b"TRACE "];

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flight {
    /// A server that sees them twice does no harm.
    ReplaySafe,
    /// They have consequences, or nobody knows.
    MustWait,
    /// The preface of HTTP/2 and no request so far. It may be replayed, but then the request is not in the SYN.
    NoRequestYet,
}

pub(super) fn judge(bytes: &[u8]) -> Flight {
    match bytes {
        [0x16, 3, ..] => hello(bytes),
        _ if bytes.starts_with(PREFACE) => frames(&bytes[PREFACE.len()..]),
        _ => request(bytes),
    }
}

/// HTTP/1: one request with a safe method, and nothing behind its head.
fn request(bytes: &[u8]) -> Flight {
    let safe = SAFE.iter().any(|method| bytes.starts_with(method));
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    match safe && head_end.is_none_or(|end| end + 4 == bytes.len()) {
        true => Flight::ReplaySafe,
        false => Flight::MustWait,
    }
}

/// TLS: a ClientHello, and no record of early data behind it (RFC 8446, sections 5.1 and 8).
fn hello(mut bytes: &[u8]) -> Flight {
    const CHANGE_CIPHER_SPEC: u8 = 20;
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    if bytes.get(5) != Some(&CLIENT_HELLO) {
        return Flight::MustWait;
    }
    while let [CHANGE_CIPHER_SPEC | HANDSHAKE, 3, _, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        bytes = rest.get(len..).unwrap_or_default();
    }
    match bytes {
        [] => Flight::ReplaySafe,
        _ => Flight::MustWait,
    }
}

/// HTTP/2: frames that are about the connection, and requests whose first field says that they are a GET (RFC 9113, section 4.1; RFC 7541,
/// appendix A). A frame that is not whole is not known.
fn frames(mut bytes: &[u8]) -> Flight {
    const HEADERS: u8 = 1;
    const PRIORITY: u8 = 2;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;
    let mut flight = Flight::NoRequestYet;
    while let [a, b, c, kind, flags, _, _, _, _, rest @ ..] = bytes {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(len) else {
            return Flight::MustWait;
        };
        match *kind {
            PRIORITY | SETTINGS | PING | WINDOW_UPDATE => {}
            HEADERS if is_get(*flags, payload) => flight = Flight::ReplaySafe,
            _ => return Flight::MustWait,
        }
        bytes = rest;
    }
    match bytes {
        [] => flight,
        _ => Flight::MustWait,
    }
}

/// Whether a HEADERS frame holds all fields, no body follows it, and its first field is `:method: GET`.
fn is_get(flags: u8, payload: &[u8]) -> bool {
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    const METHOD_GET: u8 = 0x82;
    // Anything else, such as padding, moves the first field; no client that is known does that.
    flags == END_STREAM | END_HEADERS && payload.first() == Some(&METHOD_GET)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Flight::*;
    use super::*;

    #[test]
    fn requests() {
        for (bytes, flight) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ReplaySafe),
            ("HEAD / HTTP/1.1\r\n\r\n", ReplaySafe),
            ("OPTIONS * HTTP/1.1\r\n\r\n", ReplaySafe),
            ("GET /very-long", ReplaySafe),
            ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", MustWait),
            ("GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\n", MustWait),
            ("POST / HTTP/1.1\r\n\r\n", MustWait),
            ("PUT / HTTP/1.1\r\n\r\n", MustWait),
            ("DELETE / HTTP/1.1\r\n\r\n", MustWait),
            ("GETAWAY / HTTP/1.1\r\n\r\n", MustWait),
            ("get / HTTP/1.1\r\n\r\n", MustWait),
            ("G", MustWait),
            ("", MustWait),
            ("220 smtp.example.com", MustWait),
        ] {
            assert_eq!(judge(bytes.as_bytes()), flight, "{bytes}");
        }
    }

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind, 3, 1, 0, payload.len() as u8], payload].concat()
    }

    #[test]
    fn hellos() {
        let hello = record(22, &[1, 0, 0, 1, 7]);
        assert_eq!(judge(&hello), ReplaySafe);
        assert_eq!(
            judge(&hello[..7]),
            ReplaySafe,
            "one that is longer than the first flight"
        );
        assert_eq!(judge(&[&hello[..], &record(20, &[1])].concat()), ReplaySafe);
        let early = [&hello[..], &record(20, &[1]), &record(23, b"POST")].concat();
        assert_eq!(judge(&early), MustWait);
        assert_eq!(judge(&record(22, &[2, 0, 0, 0])), MustWait, "a ServerHello");
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn http2() {
        let opening = [PREFACE, &frame(4, 0, &[0; 6]), &frame(8, 0, &[0; 4])].concat();
        let with = |frames: &[Vec<u8>]| judge(&[&opening[..], &frames.concat()].concat());
        let get = frame(1, 5, &[0x82, 0x86]);
        assert_eq!(judge(PREFACE), NoRequestYet);
        assert_eq!(with(&[]), NoRequestYet);
        assert_eq!(with(std::slice::from_ref(&get)), ReplaySafe);
        assert_eq!(with(&[get.clone(), get.clone()]), ReplaySafe);
        for (why, frames) in [
            ("a POST", vec![frame(1, 5, &[0x83, 0x86])]),
            ("a GET and a POST", vec![get.clone(), frame(1, 5, &[0x83])]),
            ("a GET with a body", vec![frame(1, 4, &[0x82])]),
            ("fields that go on elsewhere", vec![frame(1, 1, &[0x82])]),
            ("data", vec![frame(0, 1, b"x")]),
            ("no field", vec![frame(1, 5, &[])]),
            ("half a frame", vec![get[..10].to_vec()]),
            ("half a frame's head", vec![get.clone(), vec![0]]),
        ] {
            assert_eq!(with(&frames), MustWait, "{why}");
        }
    }

    proptest! {
        /// Only the four methods are ever let through in plain HTTP/1.
        #[test]
        fn other_methods_wait(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let safe = SAFE.iter().any(|method| bytes.starts_with(method));
            if !bytes.starts_with(&[0x16, 3]) {
                prop_assert!(safe || judge(&bytes) == MustWait);
            }
        }

        #[test]
        fn any_tail_is_survived(tail in prop::collection::vec(any::<u8>(), 0..100)) {
            judge(&[PREFACE, &tail].concat());
            judge(&[&[0x16, 3, 1, 0, 2, 1, 0][..], &tail].concat());
        }
    }
}
