//! Requests that came too early (RFC 8470): the layer says so, and the connector asks once more.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{HttpsConnector, allow_early_data};
use fastopen::for_tokio::Peer;
use fastopen::for_tower::ConfirmLayer;
use fastopen_examples::certificate::Certificate;
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use http::StatusCode;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::client::{self, answers};
use crate::server::{Log, serve};

/// So long that a busy machine has the early request before the client's proof, which comes a round trip later.
const RTT: Duration = Duration::from_millis(150);

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "too_early::the_connector_asks_once_more",
            the_connector_asks_once_more,
        ),
        test(
            "too_early::over_http2_the_caller_asks_again",
            over_http2_the_caller_asks_again,
        ),
        test("too_early::an_upgrade_waits", an_upgrade_waits),
        test(
            "too_early::a_proxy_says_what_was_early",
            a_proxy_says_what_was_early,
        ),
    ]
    .into_iter()
}

/// A server that wants nothing early, and counts what it was asked before and after the client's proof.
async fn reluctant(ConnectInfo(peer): ConnectInfo<Peer>, _: Request) -> StatusCode {
    match timeout(Duration::ZERO, peer.confirmed()).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::TOO_EARLY,
    }
}

/// Counts the requests that reach the application.
fn site(alpn: &[u8]) -> (Site, HttpsConnector, http::Uri, Log) {
    let site = Site::new(&Scenario::new("clean").with_rtt(RTT));
    let address = site.address(443);
    let certificate = Certificate::new(&[&address.ip().to_string()]);
    let mut config = certificate.server();
    allow_early_data(&mut config, 16 * 1024);
    config.alpn_protocols = vec![alpn.to_vec()];
    let log = Log::default();
    let app = Router::new().fallback(reluctant);
    serve(&site, 443, config, log.watch(app));
    let mut config = certificate.client();
    config.enable_early_data = true;
    config.alpn_protocols = vec![alpn.to_vec()];
    let http = HttpConnector::new().with_connector(connector());
    let https = HttpsConnector::new(http, Arc::new(config));
    (site, https, format!("https://{address}/").parse().unwrap(), log)
}

/// Requests on a connection of their own; the connector is asked for another one where it takes that.
fn gets(site: &Site, https: &HttpsConnector, uri: &http::Uri, count: usize) -> Vec<u16> {
    let (https, uri) = (https.clone(), uri.clone());
    site.client(async move {
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(https);
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(client.get(uri.clone()).await.unwrap().status().as_u16());
            // The tickets come when the handshake is complete.
            sleep(3 * RTT).await;
        }
        statuses
    })
}

fn confirmed(log: &Log) -> Vec<bool> {
    log.take().iter().map(|ran| ran.confirmed).collect()
}

fn the_connector_asks_once_more() {
    let (site, https, uri, log) = site(b"http/1.1");
    assert_eq!(gets(&site, &https, &uri, 1), [200]);
    assert_eq!(confirmed(&log), [true]);
    assert_eq!(gets(&site, &https, &uri, 1), [200]);
    assert_eq!(confirmed(&log), [false, true], "early, and once more");
    assert_eq!(gets(&site, &https, &uri, 1), [200]);
    assert_eq!(
        confirmed(&log),
        [true],
        "that server gets nothing early for a while"
    );
}

fn over_http2_the_caller_asks_again() {
    let (site, https, uri, log) = site(b"h2");
    assert_eq!(gets(&site, &https, &uri, 1), [200]);
    assert_eq!(gets(&site, &https, &uri, 2), [425, 200]);
    assert_eq!(confirmed(&log), [true, false, true]);
}

/// Behind the layer, from a client that breaks the rules.
fn an_upgrade_waits() {
    let site = Site::new(&Scenario::new("clean").with_rtt(RTT));
    let certificate = Certificate::new(&[&site.address(443).ip().to_string()]);
    let mut config = certificate.server();
    allow_early_data(&mut config, 16 * 1024);
    let log = Log::default();
    serve(&site, 443, config, log.app().layer(ConfirmLayer::new()));
    let client = client::Client::with_tickets(&site, 443, certificate.client());
    log.take();
    site.client(async move {
        let mut stream = client.connect().await;
        let upgrade = b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(upgrade).await.unwrap();
        stream.flush().await.unwrap();
        assert!(stream.get_ref().1.is_early_data_accepted());
        answers(&mut stream, 1).await;
    });
    assert_eq!(confirmed(&log), [true]);
}

fn a_proxy_says_what_was_early() {
    let site = Site::new(&Scenario::new("clean"));
    let log = Log::default();
    let address = site.serve(80, log.app().layer(ConfirmLayer::new()));
    for (method, early, status) in [
        ("GET", Some("1"), 200),
        ("POST", Some("1"), 425),
        ("POST", Some("0"), 425),
        ("POST", None, 200),
        ("QUERY", Some("1"), 425),
    ] {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("http://{address}/"));
        if let Some(early) = early {
            request = request.header("Early-Data", early);
        }
        let request = request.body(String::new()).unwrap();
        let got = site.client(async move {
            let http = HttpConnector::new().with_connector(connector());
            let client = Client::builder(TokioExecutor::new()).build::<_, String>(http);
            client.request(request).await.unwrap().status().as_u16()
        });
        assert_eq!(got, status, "{method}, Early-Data: {early:?}");
        assert_eq!(log.take().len(), usize::from(status == 200));
    }
}
