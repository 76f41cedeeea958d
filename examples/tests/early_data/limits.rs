//! Clients that begin a handshake and let it rest, and requests that do not belong to the connector.

use std::time::Duration;

use axum::Router;
use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{HandshakeCounters, TlsListener};
use fastopen::for_tokio::Peer;
use fastopen_examples::certificate::Certificate;
use fastopen_examples::lab::{LONG, Site, connector};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as PlainConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::client::Client as EarlyClient;
use crate::server::Log;

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "limits::a_handshake_that_rests_is_ended",
            a_handshake_that_rests_is_ended,
        ),
        test(
            "limits::too_many_displace_the_oldest",
            too_many_displace_the_oldest,
        ),
        test("limits::a_thousand_that_rest", a_thousand_that_rest),
        test("limits::no_https_leaves_unencrypted", no_https_leaves_unencrypted),
    ]
    .into_iter()
}

fn serve(
    settings: impl FnOnce(TlsListener) -> TlsListener + Send + 'static,
) -> (Site, Certificate, HandshakeCounters) {
    let site = Site::new(&Scenario::new("clean").with_rtt(Duration::from_millis(2)));
    let address = site.address(443);
    let certificate = Certificate::new(&[&address.ip().to_string()]);
    let config = certificate.server().into();
    let listener = site.server(async move {
        let listener = fastopen::for_tokio::listen(address).await.unwrap();
        settings(TlsListener::new(listener, config))
    });
    let counters = listener.counters();
    let app: Router = Log::default().app();
    site.spawn(async move {
        let app = app.into_make_service_with_connect_info::<Peer>();
        let _ = axum::serve(listener, app).await;
    });
    (site, certificate, counters)
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        sleep(Duration::from_millis(5)).await;
    }
}

fn a_handshake_that_rests_is_ended() {
    let limit = Duration::from_millis(300);
    let (site, certificate, counters) = serve(move |listener| listener.with_handshake_timeout(limit));
    let (address, counted) = (site.address(443), counters.clone());
    site.client(async move {
        let mut resting = TcpStream::connect(address).await.unwrap();
        until(|| counted.under_way() == 1).await;
        assert_eq!(resting.read(&mut [0]).await.unwrap(), 0, "it was closed");
    });
    assert_eq!((counters.timed_out(), counters.under_way()), (1, 0));
    EarlyClient::with_tickets(&site, 443, certificate.client());
    assert_eq!(counters.completed(), 1);
    let counted = counters.clone();
    site.client(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.try_write(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        until(|| counted.failed() == 1).await;
    });
}

fn too_many_displace_the_oldest() {
    let (site, certificate, counters) = serve(|listener| listener.with_max_handshakes(50));
    let (address, counted) = (site.address(443), counters.clone());
    let resting = site.client(async move {
        let mut resting = Vec::new();
        for _ in 0..200 {
            resting.push(TcpStream::connect(address).await.unwrap());
        }
        until(|| counted.displaced() >= 149).await;
        assert!(counted.under_way() <= 51, "{counted:?}");
        resting
    });
    EarlyClient::with_tickets(&site, 443, certificate.client());
    assert_eq!(counters.completed(), 1, "an honest client gets through");
    assert_eq!(counters.timed_out(), 0);
    drop(resting);
}

fn a_thousand_that_rest() {
    const RESTING: usize = 1000;
    let (site, certificate, counters) = serve(|listener| listener.with_handshake_timeout(LONG));
    let (address, counted, before) = (site.address(443), counters.clone(), resident_kilobytes());
    let resting = site.client(async move {
        let mut resting = Vec::new();
        for _ in 0..RESTING {
            let stream = TcpStream::connect(address).await.unwrap();
            // The beginning of a ClientHello.
            stream.try_write(&[22, 3, 1, 1, 0, 1, 0]).unwrap();
            resting.push(stream);
        }
        until(|| counted.under_way() == RESTING as u64).await;
        resting
    });
    let each = resident_kilobytes().saturating_sub(before) / RESTING;
    for _ in 0..5 {
        EarlyClient::with_tickets(&site, 443, certificate.client());
    }
    assert_eq!((counters.completed(), counters.displaced()), (5, 0));
    assert_eq!(counters.under_way(), RESTING as u64);
    assert!(each < 40, "{each} KB each, both ends");
    drop(resting);
}

fn resident_kilobytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// As with hyper-util's connector, and with its words.
fn no_https_leaves_unencrypted() {
    let site = Site::new(&Scenario::new("clean"));
    let uri: http::Uri = format!("https://{}/secret?token=1", site.address(443))
        .parse()
        .unwrap();
    let capture = site.lab.capture();
    let (ours, theirs) = site.client(async move {
        let http = HttpConnector::new().with_connector(connector());
        let ours = Client::builder(TokioExecutor::new()).build::<_, String>(http);
        let theirs = Client::builder(TokioExecutor::new()).build::<_, String>(PlainConnector::new());
        (ours.get(uri.clone()).await, theirs.get(uri).await)
    });
    let (ours, theirs) = (ours.unwrap_err(), theirs.unwrap_err());
    assert!(ours.is_connect() && theirs.is_connect());
    let words = "invalid URL, scheme is not http";
    assert!(format!("{ours:?}").contains(words), "{ours:?}");
    assert!(format!("{theirs:?}").contains(words), "{theirs:?}");
    assert_eq!(capture.frames(), [], "nothing was sent");
}
