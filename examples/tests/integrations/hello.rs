//! The ClientHello: how long it is, where early data goes, and what may not be early.

use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{
    HttpsConnector, ROOM, TlsListener, allow_early_data, hello_len, small_key_shares,
};
use fastopen::for_tokio::{ConnectReport, Peer};
use fastopen::for_tower::ConfirmLayer;
use fastopen::{Outcome, Syn};
use fastopen_examples::certificate::{Certificate, NAME};
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup, ring};
use rustls::{ClientConfig, Error, NamedGroup, RootCertStore};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test(
            "hello::a_post_quantum_share_does_not_fit",
            a_post_quantum_share_does_not_fit,
        ),
        test(
            "hello::early_data_is_in_the_syn_with_it",
            early_data_is_in_the_syn_with_it,
        ),
        test(
            "hello::early_data_that_is_turned_away_is_sent_again",
            early_data_that_is_turned_away_is_sent_again,
        ),
    ]
    .into_iter()
}

/// As long as the real one, which ring does not have.
#[derive(Debug)]
struct PostQuantum;

impl SupportedKxGroup for PostQuantum {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Share([7; 1216])))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

struct Share([u8; 1216]);

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, _: &[u8]) -> Result<SharedSecret, Error> {
        Err(Error::General("only its length matters here".into()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.0
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

fn a_post_quantum_share_does_not_fit() {
    let len = |provider: rustls::crypto::CryptoProvider| {
        let config = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        hello_len(&Arc::new(config), NAME.try_into().unwrap()).unwrap()
    };
    let mut provider = ring::default_provider();
    let classic = len(provider.clone());
    assert!((150..400).contains(&classic), "{classic}");
    provider.kx_groups.insert(0, &PostQuantum);
    let quantum = len(provider.clone());
    assert!(quantum > ROOM, "{quantum}");
    let small = small_key_shares(provider);
    assert_eq!(
        small.kx_groups.last().unwrap().name(),
        NamedGroup::X25519MLKEM768,
        "it is still on offer"
    );
    let small = len(small);
    assert!(small < ROOM / 2, "{small}");
}

/// HTTPS servers that say whether the client had proved its address when the handler ran: one that takes early data on port 443, and
/// one on port 8443 that knows neither early data nor the other's tickets. They have the same name.
fn site() -> (Site, HttpsConnector, String) {
    let site = Site::new(&Scenario::new("clean"));
    let ip = site.address(443).ip().to_string();
    let certificate = Certificate::new(&[&ip]);
    let how = |ConnectInfo(peer): ConnectInfo<Peer>| async move {
        let confirmed = tokio::time::timeout(std::time::Duration::ZERO, peer.confirmed()).await;
        format!("confirmed: {}", confirmed.is_ok())
    };
    let app = Router::new()
        .route("/", get(how).post(how))
        .layer(ConfirmLayer::new());
    for (port, early_data) in [(443, 16 * 1024), (8443, 0)] {
        let mut config = certificate.server();
        allow_early_data(&mut config, early_data);
        let (address, app) = (site.address(port), app.clone());
        let listener = site.server(async move { fastopen::for_tokio::listen(address).await.unwrap() });
        site.spawn(async move {
            let app = app.into_make_service_with_connect_info::<Peer>();
            axum::serve(TlsListener::new(listener, config.into()), app)
                .await
                .unwrap();
        });
    }
    let mut config = certificate.client();
    config.enable_early_data = true;
    let http = HttpConnector::new()
        .with_connector(connector())
        .with_nodelay(true);
    (
        site,
        HttpsConnector::new(http, config.into()),
        format!("https://{ip}"),
    )
}

/// A request on a connection of its own: what became of the SYN, how long that was, and the answer.
fn request(site: &Site, https: &HttpsConnector, method: &str, uri: &str) -> (Outcome, usize, String) {
    let client = Client::builder(TokioExecutor::new()).build::<_, String>(https.clone());
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .body(String::new())
        .unwrap();
    site.client(async move {
        let response = client.request(request).await.unwrap();
        let report = response.extensions().get::<ConnectReport>().unwrap().clone();
        let Syn::Fast { bytes } = report.attempts()[0].syn else {
            panic!("{report:?}")
        };
        let body = axum::body::Body::new(response.into_body());
        let body = axum::body::to_bytes(body, 100).await.unwrap();
        (
            report.outcome().unwrap(),
            bytes,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    })
}

fn early_data_is_in_the_syn_with_it() {
    let (site, https, uri) = site();
    let (_, _, answer) = request(&site, &https, "GET", &uri);
    assert_eq!(answer, "confirmed: true", "a full handshake");
    let (outcome, hello, answer) = request(&site, &https, "POST", &uri);
    assert_eq!((outcome, &answer[..]), (Outcome::Accepted, "confirmed: true"));
    let (outcome, with_request, answer) = request(&site, &https, "GET", &uri);
    assert_eq!((outcome, &answer[..]), (Outcome::Accepted, "confirmed: false"));
    assert!(with_request > hello + 40, "{hello}, then {with_request}");
}

fn early_data_that_is_turned_away_is_sent_again() {
    let (site, https, uri) = site();
    let (_, hello, _) = request(&site, &https, "POST", &format!("{uri}:8443"));
    request(&site, &https, "GET", &uri);
    let (outcome, with_request, answer) = request(&site, &https, "GET", &format!("{uri}:8443"));
    assert_eq!((outcome, &answer[..]), (Outcome::Accepted, "confirmed: true"));
    assert!(
        with_request > hello + 40,
        "the request was in the SYN: {hello}, then {with_request}"
    );
}
