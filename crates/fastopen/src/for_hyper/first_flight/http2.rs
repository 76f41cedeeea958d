//! HTTP/2: requests that are replay-safe by their frames.

/// What begins a connection (RFC 9113, section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether all frames behind the preface are about the connection, or whole requests that are safe.
pub(super) fn are_safe_frames(frames: &[u8]) -> bool {
    Frames(frames).all(|frame| frame.is_some_and(|frame| frame.is_replay_safe()))
}

/// Whether a request to its end follows the preface.
pub(crate) fn has_whole_request(bytes: &[u8]) -> bool {
    let frames = bytes.strip_prefix(PREFACE).unwrap_or_default();
    Frames(frames).flatten().any(|frame| frame.ends_a_request())
}

/// Frames (RFC 9113, section 4.1). One that is not whole is `None`, and the last.
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
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn frames() {
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
            assert_eq!(are_safe_frames(&bytes[PREFACE.len()..]), safe, "{why}");
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
}
