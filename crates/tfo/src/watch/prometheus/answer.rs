//! What a scraper gets.

use std::convert::Infallible;

use hyper::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use super::super::report::Report;
use super::super::sampler::Sampler;
use super::metrics;

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The answer to a request. To HEAD hyper sends it without its body.
pub(super) async fn to<B: Body>(
    request: &Request<B>,
    sampler: &Sampler,
) -> Result<Response<String>, Infallible> {
    Ok(match refusal(request) {
        Some(refusal) => refusal,
        None => match sampler.snapshot().await {
            Ok(snapshot) => answer(
                StatusCode::OK,
                METRICS,
                metrics::page(Report::new(None, &snapshot)),
            ),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error:#}\n")),
        },
    })
}

/// What is answered where there are no metrics.
fn refusal<B>(request: &Request<B>) -> Option<Response<String>> {
    let (method, path) = (request.method(), request.uri().path());
    let hosts = request.headers().get_all(HOST).iter().count();
    // RFC 9112, section 3.2: an HTTP/1.1 request names its host once.
    if hosts > 1 || (hosts == 0 && request.version() >= Version::HTTP_11) {
        let text = "The request must have one Host header\n".to_owned();
        return Some(answer(StatusCode::BAD_REQUEST, TEXT, text));
    }
    if path != "/metrics" {
        let text = "The metrics are at /metrics\n".to_owned();
        return Some(answer(StatusCode::NOT_FOUND, TEXT, text));
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let mut refused = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET /metrics\n".to_owned());
    refused
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(refused)
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_host_once() {
        let status = |version, hosts: &[&str]| {
            let mut request = Request::builder().uri("/metrics").version(version);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let refusal = refusal(&request.body(()).unwrap());
            refusal.map_or(200, |response| response.status().as_u16())
        };
        assert_eq!(status(Version::HTTP_11, &["a"]), 200);
        assert_eq!(status(Version::HTTP_11, &[]), 400);
        assert_eq!(status(Version::HTTP_11, &["a", "a"]), 400);
        assert_eq!(status(Version::HTTP_10, &[]), 200);
        assert_eq!(status(Version::HTTP_10, &["a", "b"]), 400);
    }
}
