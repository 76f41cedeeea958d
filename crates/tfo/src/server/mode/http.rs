//! One HTTP/1.1 answer per connection (RFC 9112), with a page that says how the request arrived.

use std::time::SystemTime;

use super::super::conversation::{Conversation, End};
use super::super::report::Arrived;
use super::super::words;

/// The longest request head that is read (RFC 9112, section 3, wants at least 8,000 bytes for the first line).
const LONGEST_HEAD: usize = 16 * 1024;
/// How many bytes after the request are read, so that the client receives the answer and not a reset.
const MOST_DRAINED: u64 = 1024 * 1024;

/// Answers one request, and closes when the client has.
pub(super) async fn serve(conversation: &mut Conversation, arrived: &Arrived) -> Result<(), End> {
    let Some(request) = read_request(conversation).await? else {
        return conversation.finish().await;
    };
    let page = format!("{}\n", words::arrival(arrived));
    let answer = Answer::to(&request, &page);
    conversation
        .write_all(answer.to_string(SystemTime::now()).as_bytes())
        .await?;
    conversation.finish().await?;
    drain(conversation).await
}

/// Closing with unread bytes would reset the connection, and the answer with it.
async fn drain(conversation: &mut Conversation) -> Result<(), End> {
    let mut buffer = [0; 4096];
    let enough = conversation.received + MOST_DRAINED;
    while conversation.received < enough && conversation.read(&mut buffer).await? > 0 {}
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Request {
    Get,
    Head,
    OtherMethod,
    TooLong,
    Malformed,
}

/// Reads a request's head; `None` when the client sends none.
async fn read_request(conversation: &mut Conversation) -> Result<Option<Request>, End> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = conversation.read(&mut buffer).await?;
        head.extend_from_slice(&buffer[..n]);
        match parse(&head) {
            Some(request) => return Ok(Some(request)),
            None if n > 0 => {}
            None if head.is_empty() => return Ok(None),
            None => return Ok(Some(Request::Malformed)),
        }
    }
}

/// What the bytes ask for; `None` as long as more must come.
fn parse(head: &[u8]) -> Option<Request> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) if head.len() < LONGEST_HEAD => None,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => Some(Request::TooLong),
        Err(_) => Some(Request::Malformed),
        Ok(httparse::Status::Complete(_)) => Some(classify(&request)),
    }
}

fn classify(request: &httparse::Request<'_, '_>) -> Request {
    let hosts = values(request, "host").count();
    // RFC 9112, section 3.2: an HTTP/1.1 request names its host once.
    let names_its_host = hosts == 1 || (hosts == 0 && request.version == Some(0));
    match request.method {
        _ if !names_its_host || !has_one_length(request) => Request::Malformed,
        Some("GET") => Request::Get,
        Some("HEAD") => Request::Head,
        _ => Request::OtherMethod,
    }
}

/// Whether all that read the request agree on where it ends (RFC 9112, sections 6.1 and 6.3): one number, however often it is given, or
/// chunks.
fn has_one_length(request: &httparse::Request<'_, '_>) -> bool {
    let is_a_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut lengths = values(request, "content-length")
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let coding = values(request, "transfer-encoding").last();
    match (lengths.next(), coding) {
        (None, None) => true,
        (Some(first), None) => is_a_number(first) && lengths.all(|length| length == first),
        (None, Some(codings)) => {
            let last = codings.rsplit(',').next().unwrap_or_default();
            request.version == Some(1) && last.trim().eq_ignore_ascii_case("chunked")
        }
        (Some(_), Some(_)) => false,
    }
}

/// The values of a header, one for each time that it is given; what is no text is not the empty text either.
fn values<'a>(request: &'a httparse::Request<'_, '_>, name: &str) -> impl Iterator<Item = &'a str> {
    request
        .headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| str::from_utf8(header.value).unwrap_or("?"))
}

struct Answer<'a> {
    status: &'static str,
    page: &'a str,
    with_page: bool,
}

impl<'a> Answer<'a> {
    fn to(request: &Request, page: &'a str) -> Self {
        let (status, page, with_page) = match request {
            Request::Get => ("200 OK", page, true),
            Request::Head => ("200 OK", page, false),
            Request::OtherMethod => (
                "405 Method Not Allowed",
                "this server answers GET and HEAD\n",
                true,
            ),
            Request::TooLong => (
                "431 Request Header Fields Too Large",
                "the request's head is too long\n",
                true,
            ),
            Request::Malformed => ("400 Bad Request", "this is not an HTTP/1.1 request\n", true),
        };
        Self {
            status,
            page,
            with_page,
        }
    }

    fn to_string(&self, now: SystemTime) -> String {
        let Self {
            status,
            page,
            with_page,
        } = self;
        format!(
            "HTTP/1.1 {status}\r\n\
             Date: {}\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Allow: GET, HEAD\r\n\
             Connection: close\r\n\
             \r\n\
             {}",
            httpdate::fmt_http_date(now),
            page.len(),
            if *with_page { page } else { "" }
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests() {
        let with = |header: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n");
        for (head, request) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Request::Get)),
            ("\r\nGET /x?y HTTP/1.1\r\nHOST: a\r\n\r\nmore", Some(Request::Get)),
            ("GET / HTTP/1.0\n\n", Some(Request::Get)),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Request::Head)),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", Some(Request::OtherMethod)),
            ("GET / HTTP/1.1\r\n\r\n", Some(Request::Malformed)),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                Some(Request::Malformed),
            ),
            ("GET /\r\n\r\n", Some(Request::Malformed)),
            (
                &with("Content-Length: 5\r\nContent-Length: 6"),
                Some(Request::Malformed),
            ),
            (&with("Content-Length: 5, 6"), Some(Request::Malformed)),
            (&with("Content-Length: -5"), Some(Request::Malformed)),
            (&with("Content-Length:"), Some(Request::Malformed)),
            (&with("Content-Length: \u{e9}"), Some(Request::Malformed)),
            (
                &with("Content-Length: 5\r\nTransfer-Encoding: chunked"),
                Some(Request::Malformed),
            ),
            (
                &with("Transfer-Encoding: chunked, gzip"),
                Some(Request::Malformed),
            ),
            (
                "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
                Some(Request::Malformed),
            ),
            (
                &with("Content-Length: 5\r\ncontent-length: 5, 5"),
                Some(Request::Get),
            ),
            (&with("Transfer-Encoding: gzip, Chunked"), Some(Request::Get)),
            ("\x16\x03\x01\x02", Some(Request::Malformed)),
            ("GET / HTTP/1.1\r\nHost: a\r\n", None),
            ("", None),
        ] {
            assert_eq!(parse(head.as_bytes()), request, "{head:?}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_too_long() {
        let endless = format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(LONGEST_HEAD));
        assert_eq!(parse(endless.as_bytes()), Some(Request::TooLong));
        let crowded = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(200));
        assert_eq!(parse(crowded.as_bytes()), Some(Request::TooLong));
    }

    #[test]
    fn a_head_request_gets_the_same_head_and_no_page() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let get = Answer::to(&Request::Get, "page\n").to_string(now);
        let head = Answer::to(&Request::Head, "page\n").to_string(now);
        assert_eq!(get, format!("{head}page\n"));
        assert_eq!(
            head,
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n"
        );
    }
}
