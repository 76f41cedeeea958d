//! What a scraper gets.

use std::convert::Infallible;

use hyper::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

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
    Ok(match refusal(request.method(), request.uri().path()) {
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
fn refusal(method: &Method, path: &str) -> Option<Response<String>> {
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
