//! Servers that refuse or never answer, and requests that are given up.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use fastopen::ConnectError;
use fastopen::for_hyper::HttpConnector;
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Rule, Scenario};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, timeout};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("failing::a_closed_port", a_closed_port),
        test("failing::nobody_answers", nobody_answers),
        test("failing::requests_that_are_given_up", requests_that_are_given_up),
    ]
    .into_iter()
}

type Failure = hyper_util::client::legacy::Error;

fn connect_error(error: &Failure) -> Option<&ConnectError> {
    let mut source = error.source();
    while let Some(error) = source {
        let inside = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if let Some(found) = inside.and_then(|error| error.downcast_ref()) {
            return Some(found);
        }
        source = error.source();
    }
    None
}

fn fails(site: &Site, http: HttpConnector, port: u16) -> ConnectFailure {
    let uri = format!("http://{}/", site.address(port)).parse().unwrap();
    site.client(async move {
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(http);
        let error = client.get(uri).await.unwrap_err();
        let inside = connect_error(&error).unwrap_or_else(|| panic!("{error:?}"));
        ConnectFailure {
            kind: inside.kind(),
            attempts: inside.attempts().len(),
        }
    })
}

struct ConnectFailure {
    kind: ErrorKind,
    attempts: usize,
}

fn a_closed_port() {
    let site = Site::new(&Scenario::new("clean"));
    let failure = fails(&site, HttpConnector::new().with_connector(connector()), 81);
    assert_eq!(failure.kind, ErrorKind::ConnectionRefused);
    assert!(failure.attempts >= 1);
}

fn nobody_answers() {
    let site = Site::new(&Scenario::named("unreachable").unwrap());
    let hurried = connector().with_timeout(Duration::from_millis(400));
    let failure = fails(&site, HttpConnector::new().with_connector(hurried), 80);
    assert_eq!(failure.kind, ErrorKind::TimedOut);
}

/// At any moment; the client goes on working.
fn requests_that_are_given_up() {
    let rtt = Duration::from_millis(20);
    let site = Site::new(&Scenario::new("clean").with_rtt(rtt));
    let address = site.serve(80, Router::new().route("/", get(|| async { "hello" })));
    let uri: http::Uri = format!("http://{address}/").parse().unwrap();
    let client = Client::builder(TokioExecutor::new())
        .build::<_, String>(HttpConnector::new().with_connector(connector()));
    let same = (client.clone(), uri.clone());
    site.client(async move {
        for after in 0..30 {
            let _ = timeout(Duration::from_millis(after), client.get(uri.clone())).await;
        }
        let began = Instant::now();
        assert_eq!(client.get(uri).await.unwrap().status(), 200);
        assert!(began.elapsed() < 10 * rtt);
    });
    site.lab.set_rules([Rule::drop().to("server")]).unwrap();
    site.client(async move {
        let (client, uri) = same;
        assert!(
            timeout(rtt, client.get(uri)).await.is_err(),
            "nobody is there any more"
        );
    });
}
