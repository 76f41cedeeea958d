//! How many round trips a first answer takes, with ordinary TCP and with Fast Open.

use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use fastopen::Policy;
use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{HttpsConnector, TlsListener, allow_early_data};
use fastopen::for_tokio::Peer;
use fastopen::for_tower::ConfirmLayer;
use fastopen_lab::Scenario;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector as PlainConnector};
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};

use crate::certificate::Certificate;
use crate::echo::{Echo, echo};
use crate::lab::{Site, connector};

/// How often each is measured; the best counts, for a busy machine only adds to what the path takes.
const TIMES: usize = 5;

/// One kind of request, and what it takes from nothing to the answer's end.
#[derive(Clone, Debug)]
pub struct Row {
    /// The request, and the libraries on both sides.
    pub what: &'static str,
    /// Round trips with ordinary TCP.
    pub plain: f64,
    /// Round trips with Fast Open, and a cookie for the server.
    pub fast: f64,
    /// What they are to be.
    pub expected: (u32, u32),
}

impl Row {
    /// Whether both are within that share of what they are to be.
    pub fn is_within(&self, share: f64) -> bool {
        let near = |rounds: f64, expected: u32| (rounds / f64::from(expected) - 1.0).abs() <= share;
        near(self.plain, self.expected.0) && near(self.fast, self.expected.1)
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<60} {:>9.2} {:>9.2}", self.what, self.plain, self.fast)
    }
}

/// The line above the rows.
pub fn header() -> String {
    format!("{:<60} {:>9} {:>9}", "round trips to the answer", "plain", "fast")
}

/// Measures all of it, over a path of that round-trip time.
pub fn measure(rtt: Duration) -> Vec<Row> {
    let site = Site::new(&Scenario::new("round trips").with_rtt(rtt));
    let ip = site.address(0).ip().to_string();
    let certificate = Certificate::new(&[&ip]);
    serve(&site, &certificate);
    let rounds = move |took: Duration| took.as_secs_f64() / rtt.as_secs_f64();
    let (http, https): (Uri, Uri) = (uri("http", &ip), uri("https", &ip));
    let full = certificate.client();
    let mut resumed = certificate.client();
    resumed.enable_early_data = true;
    let resumed = Arc::new(resumed);
    site.client(async move {
        let cookie = HttpConnector::new().with_connector(connector());
        request(cookie, "GET", &http).await;
        let fast = HttpConnector::new()
            .with_connector(connector())
            .with_nodelay(true);
        let off = fast.clone().with_connector(connector().with_policy(Policy::Off));
        let mut rows = Vec::new();
        for (method, what, expected) in [
            ("GET", "HTTP GET: hyper, axum", (2, 1)),
            ("POST", "HTTP POST: hyper, axum", (2, 2)),
        ] {
            rows.push(Row {
                what,
                plain: rounds(best(|| request(plain(), method, &http)).await),
                fast: rounds(best(|| request(fast.clone(), method, &http)).await),
                expected,
            });
        }
        rows.push(Row {
            what: "gRPC call, replay-safe by the caller's word: tonic",
            plain: rounds(best(|| call(&ip, None)).await),
            fast: rounds(best(|| call(&ip, Some(fast.clone().with_replay_safe_requests()))).await),
            expected: (2, 1),
        });
        rows.push(Row {
            what: "HTTPS GET, full handshake: hyper, hyper-rustls, axum",
            plain: rounds(best(|| request(over_tls(plain(), &full), "GET", &https)).await),
            fast: rounds(
                best(|| request(over_tls(fast.clone().enforce_http(false), &full), "GET", &https)).await,
            ),
            expected: (3, 2),
        });
        let early = |http: &HttpConnector| HttpsConnector::new(http.clone(), Arc::clone(&resumed));
        for (method, what, expected) in [
            (
                "GET",
                "HTTPS GET, resumed with early data: hyper, axum, rustls",
                (2, 1),
            ),
            ("POST", "HTTPS POST, resumed: hyper, axum, rustls", (3, 2)),
        ] {
            rows.push(Row {
                what,
                plain: rounds(best(|| with_ticket(early(&off), method, &https, rtt)).await),
                fast: rounds(best(|| with_ticket(early(&fast), method, &https, rtt)).await),
                expected,
            });
        }
        let http2 = |http: &HttpConnector| {
            let mut config = ClientConfig::clone(&resumed);
            config.alpn_protocols = vec![b"h2".to_vec()];
            config.resumption = rustls::client::Resumption::in_memory_sessions(8);
            HttpsConnector::new(http.clone(), Arc::new(config))
        };
        rows.push(Row {
            what: "HTTPS GET, h2, resumed with early data: hyper, axum, rustls",
            plain: rounds(best(|| with_ticket(http2(&off), "GET", &https, rtt)).await),
            fast: rounds(best(|| with_ticket(http2(&fast), "GET", &https, rtt)).await),
            expected: (2, 1),
        });
        rows
    })
}

fn uri(scheme: &str, ip: &str) -> Uri {
    format!("{scheme}://{ip}/").parse().expect("it is a URI")
}

fn serve(site: &Site, certificate: &Certificate) {
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/", post(|body: String| async move { body }))
        .layer(ConfirmLayer::new());
    site.serve(80, app.clone());
    let mut config = certificate.server();
    allow_early_data(&mut config, 16 * 1024);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let https = listener(site, 443);
    site.spawn(async move {
        let app = app.into_make_service_with_connect_info::<Peer>();
        let _ = axum::serve(TlsListener::new(https, config.into()), app).await;
    });
    let incoming = TcpIncoming::from(listener(site, 50051)).with_nodelay(Some(true));
    site.spawn(async move {
        let _ = Server::builder().serve_with_incoming(Echo, incoming).await;
    });
}

fn listener(site: &Site, port: u16) -> TcpListener {
    let address = site.address(port);
    let listener = site.server(async move { fastopen::for_tokio::listen(address).await });
    listener.expect("the port is free")
}

/// One request on a connection of its own, and the time it took.
async fn request<C>(connector: C, method: &'static str, uri: &Uri) -> Duration
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
    let body = if method == "POST" { "hello" } else { "" };
    let request = http::Request::builder().method(method).uri(uri.clone());
    let request = request.body(body.to_owned()).expect("it is a request");
    let began = Instant::now();
    let response = client.request(request).await.expect("it is answered");
    let status = response.status();
    let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), 100).await;
    let took = began.elapsed();
    assert_eq!(
        (status.as_u16(), &body.expect("all of it")[..]),
        (200, &b"hello"[..])
    );
    took
}

/// hyper-util's own connector, for https too. TLS and HTTP/2 write in small pieces, which must not wait for each other.
fn plain() -> PlainConnector {
    let mut connector = PlainConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}

fn over_tls<C>(connector: C, config: &ClientConfig) -> hyper_rustls::HttpsConnector<C> {
    let mut config = config.clone();
    config.resumption = rustls::client::Resumption::disabled();
    hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_only()
        .enable_http1()
        .wrap_connector(connector)
}

/// Gets a ticket first, which does not count.
async fn with_ticket(connector: HttpsConnector, method: &'static str, uri: &Uri, rtt: Duration) -> Duration {
    request(connector.clone(), "POST", uri).await;
    sleep(rtt).await;
    request(connector, method, uri).await
}

async fn call(ip: &str, connector: Option<HttpConnector>) -> Duration {
    let endpoint = Endpoint::from_shared(format!("http://{ip}:50051")).expect("it is a URI");
    let began = Instant::now();
    let channel = match connector {
        Some(connector) => endpoint.connect_with_connector_lazy(connector),
        None => endpoint.connect_lazy(),
    };
    let answer = echo(channel, b"hello").await.expect("it is answered");
    let took = began.elapsed();
    assert_eq!(&answer[..], b"hello");
    took
}

async fn best<F: Future<Output = Duration>>(mut once: impl FnMut() -> F) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..TIMES {
        best = best.min(once().await);
    }
    best
}
