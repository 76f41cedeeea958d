//! As much of HTTP as a scraper needs: one request for each connection.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The longest that a request's head may be.
const LIMIT: usize = 16 * 1024;
/// How long a client may take to ask, and then to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Metrics {
        with_body: bool,
    },
    /// Something that is not here.
    Elsewhere,
    /// Something other than reading.
    NotReading,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: &'static str,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

impl Response {
    pub(super) fn text(status: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }
}

/// Reads a request's head; `None` where there is none.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Request>> {
    timeout(PATIENCE, read_head(stream)).await?
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    loop {
        let read = stream.take(LIMIT as u64).read_buf(&mut head).await?;
        if read == 0 || head.len() > LIMIT {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => return Ok(understand(request.method, request.path)),
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
    }
}

fn understand(method: Option<&str>, target: Option<&str>) -> Option<Request> {
    let path = target?.split('?').next()?;
    Some(match (method?, path) {
        ("GET", "/metrics") => Request::Metrics { with_body: true },
        ("HEAD", "/metrics") => Request::Metrics { with_body: false },
        ("GET" | "HEAD", _) => Request::Elsewhere,
        _ => Request::NotReading,
    })
}

/// Writes an answer, and says that nothing follows.
pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    response: &Response,
    with_body: bool,
) -> io::Result<()> {
    let Response { status, kind, body } = response;
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if with_body {
        text.push_str(body);
    }
    timeout(PATIENCE, async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn request(text: &str) -> Option<Request> {
        read(&mut text.as_bytes()).await.ok().flatten()
    }

    #[tokio::test]
    async fn requests_are_understood() {
        for (text, expected) in [
            (
                "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                Some(Request::Metrics { with_body: true }),
            ),
            (
                "HEAD /metrics?x=1 HTTP/1.0\r\n\r\n",
                Some(Request::Metrics { with_body: false }),
            ),
            ("GET / HTTP/1.1\r\n\r\n", Some(Request::Elsewhere)),
            ("POST /metrics HTTP/1.1\r\n\r\n", Some(Request::NotReading)),
            ("GET /metrics HTTP/1.1\r\n", None),
            ("\u{16}\u{3}\u{1}\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(request(text).await, expected, "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_head_without_end_is_not_kept() {
        let endless = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(1 << 20));
        assert_eq!(request(&endless).await, None);
    }

    #[tokio::test]
    async fn an_answer_says_how_long_it_is() {
        let mut sent = Vec::new();
        write(&mut sent, &Response::text("404 Not Found", "no\n"), true)
            .await
            .unwrap();
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"
        );
    }
}
