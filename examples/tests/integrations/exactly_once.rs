//! Requests with consequences: they wait, and their consequences come once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use fastopen::for_hyper::HttpConnector;
use fastopen::for_tokio::{ConnectReport, LazyStream, Peer};
use fastopen::for_tower::ConfirmLayer;
use fastopen::{ArrivalKind, Outcome, Reason, Syn};
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Rule, Scenario, SegmentKind};
use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "exactly_once::only_safe_methods_are_in_the_syn",
            only_safe_methods_are_in_the_syn,
        ),
        test("exactly_once::over_http2_too", over_http2_too),
        test(
            "exactly_once::a_replayed_order_is_not_executed",
            a_replayed_order_is_not_executed,
        ),
        test(
            "exactly_once::an_unconfirmed_order_is_too_early",
            an_unconfirmed_order_is_too_early,
        ),
        test(
            "exactly_once::a_service_without_peers_is_not_set_up",
            a_service_without_peers_is_not_set_up,
        ),
    ]
    .into_iter()
}

/// Counts the orders that are executed.
fn shop(orders: &Arc<AtomicUsize>) -> Router {
    let orders = Arc::clone(orders);
    let order = move || async move {
        orders.fetch_add(1, Ordering::SeqCst);
        "ordered"
    };
    let how = |ConnectInfo(peer): ConnectInfo<Peer>| async move {
        matches!(peer.arrival().unwrap().kind, ArrivalKind::Fast { data: true }).to_string()
    };
    Router::new().route("/", get(how).post(order.clone()).put(order))
}

fn get_cookie(site: &Site) {
    let address = site.address(80);
    site.client(async move {
        let stream = LazyStream::replay_safe(connector(), address);
        let (mut reader, mut writer) = tokio::io::split(stream);
        writer.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        reader.read_to_end(&mut Vec::new()).await.unwrap();
    });
}

fn only_safe_methods_are_in_the_syn() {
    let site = Site::new(&Scenario::new("clean"));
    let orders = Arc::default();
    let address = site.serve(80, shop(&orders).layer(ConfirmLayer::new()));
    get_cookie(&site);
    for (method, syn, outcome, body, answer) in [
        ("GET", true, Outcome::Accepted, "", "true"),
        ("HEAD", true, Outcome::Accepted, "", ""),
        (
            "POST",
            false,
            Outcome::NotAttempted(Reason::Dataless),
            "order",
            "ordered",
        ),
        (
            "PUT",
            false,
            Outcome::NotAttempted(Reason::Dataless),
            "order",
            "ordered",
        ),
        (
            "GET",
            false,
            Outcome::NotAttempted(Reason::Dataless),
            "a body",
            "false",
        ),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}/"));
        let request = request.body(body.to_owned()).unwrap();
        let (report, got) = site.client(async move {
            let connector = HttpConnector::new().with_connector(connector());
            let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
            let response = client.request(request).await.unwrap();
            let report = response.extensions().get::<ConnectReport>().unwrap().clone();
            let body = axum::body::Body::new(response.into_body());
            (report, axum::body::to_bytes(body, 100).await.unwrap())
        });
        assert_eq!(report.outcome(), Some(outcome), "{method}");
        assert_eq!(report.attempts()[0].syn != Syn::Plain, syn, "{method}");
        assert_eq!(got, answer, "{method}");
    }
    assert_eq!(orders.load(Ordering::SeqCst), 2);
}

/// HTTP/2 with prior knowledge: a GET travels with the connection's preface, and an order never does.
fn over_http2_too() {
    const SYN: u8 = 0x02;
    let site = Site::new(&Scenario::new("clean"));
    let orders = Arc::default();
    let address = site.serve(80, shop(&orders).layer(ConfirmLayer::new()));
    get_cookie(&site);
    for (method, body, answer) in [("GET", "", "true"), ("POST", "order", "ordered")] {
        let capture = site.lab.capture();
        let uri = format!("http://{address}/");
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(body.to_owned())
            .unwrap();
        let (report, got) = site.client(async move {
            let mut client = Client::builder(TokioExecutor::new());
            let connector = HttpConnector::new().with_connector(connector());
            let client = client.http2_only(true).build::<_, String>(connector);
            let response = client.request(request).await.unwrap();
            let report = response.extensions().get::<ConnectReport>().unwrap().clone();
            let body = axum::body::Body::new(response.into_body());
            (report, axum::body::to_bytes(body, 100).await.unwrap())
        });
        assert_eq!(got, answer);
        if method == "GET" {
            assert_eq!(report.outcome(), Some(Outcome::Accepted));
        }
        // The flags of a segment over IPv4 without options.
        let mut syns = capture
            .frames()
            .into_iter()
            .filter(|frame| frame.packet[33] & SYN != 0);
        assert!(syns.all(|frame| !frame.packet.windows(5).any(|window| window == b"order")));
    }
    assert_eq!(orders.load(Ordering::SeqCst), 1);
}

/// By a client that breaks the rules and sends its order in the SYN.
fn a_replayed_order_is_not_executed() {
    let site = Site::new(&Scenario::named("replay").unwrap());
    let orders = Arc::default();
    let layer = ConfirmLayer::new().with_timeout(Duration::from_secs(1));
    let address = site.serve(80, shop(&orders).layer(layer));
    get_cookie(&site);
    let capture = site.lab.capture();
    site.client(async move {
        let mut stream = LazyStream::replay_safe(connector(), address);
        let order = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(order).await.unwrap();
        assert_eq!(stream.report().outcome(), Some(Outcome::Accepted));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
    // The answer to the replay, after the time limit, goes to whoever sent it.
    let too_early = capture.wait_for(Duration::from_secs(5), |frame| {
        frame.packet.windows(12).any(|window| window == b"HTTP/1.1 425")
    });
    assert!(too_early.is_some(), "the replay was answered");
    assert_eq!(orders.load(Ordering::SeqCst), 1);
}

fn an_unconfirmed_order_is_too_early() {
    let site = Site::new(&Scenario::new("held"));
    let orders = Arc::default();
    let layer = ConfirmLayer::new().with_timeout(Duration::from_millis(300));
    let address = site.serve(80, shop(&orders).layer(layer));
    get_cookie(&site);
    let held = Rule::hold(fastopen_lab::Moment::Released)
        .from("client")
        .on(SegmentKind::HandshakeAck);
    site.lab.set_rules([held]).unwrap();
    for (method, status) in [("GET", "200"), ("POST", "425")] {
        let request =
            format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        site.client(async move {
            let mut stream = LazyStream::replay_safe(connector(), address);
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = vec![0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, format!("HTTP/1.1 {status}").as_bytes());
        });
    }
    assert_eq!(orders.load(Ordering::SeqCst), 0);
}

/// It would protect nothing, and says so.
fn a_service_without_peers_is_not_set_up() {
    let site = Site::new(&Scenario::new("clean"));
    let address = site.address(80);
    let app = Router::new()
        .route("/", post(|| async { "ordered" }))
        .layer(ConfirmLayer::new());
    let listener = site.server(async move { fastopen::for_tokio::listen(address).await.unwrap() });
    site.spawn(async move { axum::serve(listener, app).await.unwrap() });
    site.client(async move {
        let mut stream = LazyStream::replay_safe(connector(), address);
        stream.write_all(b"POST / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 500"), "{answer}");
    });
}
