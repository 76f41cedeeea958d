//! HTTP/1: a request that is replay-safe by its head.

/// Safe methods, with the space behind them (RFC 9110, section 9.2.1). QUERY is safe too, but its request is its body.
pub(super) const SAFE: &[&[u8]] = &[b"GET ", b"HEAD ", b"OPTIONS ", b"TRACE "];

/// Whether this is one whole request with a safe method, without a body, that asks for nothing but its answer.
///
/// A head that goes on beyond these bytes may still announce a body, so it is not known to be safe.
pub(super) fn is_safe_request(bytes: &[u8]) -> bool {
    let Some(head) = bytes.strip_suffix(b"\r\n\r\n") else {
        return false;
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let is_whole = |line: &[u8]| line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0");
    let request = lines.next().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    request.is_some_and(|line| SAFE.iter().any(|method| line.starts_with(method)) && is_whole(line))
        && lines.all(|line| is_harmless(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Whether a header line announces neither a body nor another protocol. Lines that make no sense are not harmless: an empty one ends
/// the head, and one that begins with a space belongs to the line before it.
fn is_harmless(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) || line.contains(&b'\r') {
        return false;
    }
    match &name.to_ascii_lowercase()[..] {
        b"content-length" => value == b"0",
        b"transfer-encoding" | b"upgrade" | b"expect" => false,
        b"connection" => !names_upgrade(value),
        _ => true,
    }
}

fn names_upgrade(value: &[u8]) -> bool {
    let mut options = value.split(|byte| *byte == b',');
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        for (bytes, safe) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("HEAD / HTTP/1.1\r\n\r\n", true),
            ("OPTIONS * HTTP/1.1\r\n\r\n", true),
            ("TRACE / HTTP/1.0\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nX-Empty:\r\n\r\n", true),
            // What may come behind the first flight is not known.
            ("GET /very-long", false),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b", false),
            // A body, here or to come.
            ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", false),
            ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", false),
            ("GET / HTTP/1.1\r\ncontent-length:3\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", false),
            (
                "GET / HTTP/1.1\r\nTRANSFER-ENCODING: gzip, chunked\r\n\r\n",
                false,
            ),
            ("GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", false),
            // Another protocol.
            (
                "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                false,
            ),
            ("GET / HTTP/1.1\r\nConnection: x, UPGRADE\r\n\r\n", false),
            // Another request.
            ("GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", false),
            ("GET / HTTP/1.1\n\nPOST / HTTP/1.1\r\n\r\n", false),
            // Other methods.
            ("POST / HTTP/1.1\r\n\r\n", false),
            ("PUT / HTTP/1.1\r\n\r\n", false),
            ("DELETE / HTTP/1.1\r\n\r\n", false),
            ("QUERY / HTTP/1.1\r\n\r\n", false),
            ("CONNECT a:443 HTTP/1.1\r\n\r\n", false),
            ("GETAWAY / HTTP/1.1\r\n\r\n", false),
            ("get / HTTP/1.1\r\n\r\n", false),
            // No HTTP that is known.
            ("GET /\r\n\r\n", false),
            ("GET / HTTP/2.0\r\n\r\n", false),
            ("GET / HTTP/1.1\r\n folded: line\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nX: y\r\n Content-Length: 3\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nX: y\rContent-Length: 3\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", false),
            ("G", false),
            ("", false),
            ("\r\n\r\n", false),
            ("220 smtp.example.com", false),
        ] {
            assert_eq!(is_safe_request(bytes.as_bytes()), safe, "{bytes:?}");
        }
    }
}
