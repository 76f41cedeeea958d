//! Early data that a server does not take: the request succeeds, whatever its size, and runs once.

use std::sync::Arc;
use std::time::Duration;

use fastopen::Syn;
use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{HttpsConnector, allow_early_data};
use fastopen::for_tokio::ConnectReport;
use fastopen_examples::certificate::Certificate;
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Frame, Pick, Point, Rule, Scenario, SegmentKind};
use http::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, ServerConfig};

use crate::server::{Log, pattern, serve};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [
        test("turned_away::by_another_server", by_another_server),
        test(
            "turned_away::by_one_without_early_data",
            by_one_without_early_data,
        ),
        test(
            "turned_away::by_one_that_wants_another_key_share",
            by_one_that_wants_another_key_share,
        ),
        test(
            "turned_away::by_one_that_speaks_tls_1_2",
            by_one_that_speaks_tls_1_2,
        ),
        test(
            "turned_away::by_one_that_prefers_http2",
            by_one_that_prefers_http2,
        ),
        test(
            "turned_away::when_the_ticket_is_used_up",
            when_the_ticket_is_used_up,
        ),
        test(
            "turned_away::a_tls_1_2_server_costs_one_retry",
            a_tls_1_2_server_costs_one_retry,
        ),
    ]
    .into_iter()
}

const BODIES: [usize; 11] = [
    1, 1_000, 3_900, 4_000, 4_100, 8_000, 8_200, 16_000, 20_000, 100_000, 1_000_000,
];

/// A server that gives tickets for early data on port 443, and another one of the same name that does not know them.
struct Pair {
    site: Site,
    config: Arc<ClientConfig>,
    log: Log,
}

impl Pair {
    fn new(scenario: &Scenario, other: impl FnOnce(&Certificate) -> ServerConfig) -> Self {
        let site = Site::new(scenario);
        let certificate = Certificate::new(&[&site.address(443).ip().to_string()]);
        let mut tickets = certificate.server();
        allow_early_data(&mut tickets, 16 * 1024);
        serve(&site, 443, tickets, Log::default().app());
        let log = Log::default();
        serve(&site, 8443, other(&certificate), log.app());
        let mut config = certificate.client();
        config.enable_early_data = true;
        let config = Arc::new(config);
        Self { site, config, log }
    }

    fn connector(&self) -> HttpsConnector {
        let http = HttpConnector::new().with_connector(connector());
        HttpsConnector::new(http.with_replay_safe_requests(), Arc::clone(&self.config))
    }

    fn request(&self, https: &HttpsConnector, port: u16, request: Request<String>) -> Response<Vec<u8>> {
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(https.clone());
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("https://{}{}", self.site.address(port), parts.uri.path())
            .parse()
            .unwrap();
        self.site.client(async move {
            let response = client.request(Request::from_parts(parts, body)).await;
            let (parts, body) = response.unwrap_or_else(|error| panic!("{error:?}")).into_parts();
            let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX).await;
            // The tickets come when the handshake is complete, which may be after the answer.
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(client);
            Response::from_parts(parts, body.unwrap().to_vec())
        })
    }

    /// How much the SYN had.
    fn get_ticket(&self) -> usize {
        let answer = self.request(
            &self.connector(),
            443,
            Request::get("/").body(String::new()).unwrap(),
        );
        syn(&answer)
    }

    fn succeeds_at_every_size(&self) {
        let hello = self.get_ticket();
        for size in BODIES {
            self.get_ticket();
            let body = String::from_utf8(vec![b'x'; size]).unwrap();
            let answer = self.request(&self.connector(), 8443, Request::post("/").body(body).unwrap());
            assert_eq!(answer.status(), 200, "{size} bytes");
            assert_eq!(answer.body().len(), size);
            assert_eq!(self.log.take().len(), 1, "{size} bytes: it ran once");
            // With its ticket the hello has some 150 bytes more.
            let early = syn(&answer) >= (hello + 100 + size).min(1400);
            assert_eq!(early, size <= 4_000, "{size} bytes: {} in the SYN", syn(&answer));
        }
        for size in [10, 3_000, 5_000, 9_000] {
            self.get_ticket();
            let request = Request::get("/answer/50000").header("X", "x".repeat(size));
            let answer = self.request(&self.connector(), 8443, request.body(String::new()).unwrap());
            assert!(*answer.body() == pattern(50_000));
            assert_eq!(self.log.take().len(), 1);
        }
    }
}

fn syn(answer: &Response<Vec<u8>>) -> usize {
    let report = answer.extensions().get::<ConnectReport>().unwrap();
    match report.attempts()[0].syn {
        Syn::Fast { bytes } => bytes,
        Syn::Plain | _ => 0,
    }
}

fn clean() -> Scenario {
    Scenario::new("clean").with_rtt(Duration::from_millis(4))
}

/// As after a restart: it has another memory and other keys.
fn by_another_server() {
    let pair = Pair::new(&clean(), |certificate| {
        let mut config = certificate.server();
        allow_early_data(&mut config, 16 * 1024);
        config
    });
    pair.succeeds_at_every_size();
}

fn by_one_without_early_data() {
    Pair::new(&clean(), Certificate::server).succeeds_at_every_size();
}

/// With a HelloRetryRequest.
fn by_one_that_wants_another_key_share() {
    let pair = Pair::new(&clean(), |certificate| {
        let mut provider = ring::default_provider();
        provider
            .kx_groups
            .retain(|group| group.name() == rustls::NamedGroup::secp384r1);
        let mut config = certificate.server_with(provider, &[&rustls::version::TLS13]);
        allow_early_data(&mut config, 16 * 1024);
        config
    });
    pair.succeeds_at_every_size();
}

fn tls_1_2(certificate: &Certificate) -> ServerConfig {
    certificate.server_with(ring::default_provider(), &[&rustls::version::TLS12])
}

fn by_one_that_speaks_tls_1_2() {
    Pair::new(&clean(), tls_1_2).succeeds_at_every_size();
}

/// The ticket is for HTTP/1.1, and so is the early data.
fn by_one_that_prefers_http2() {
    let mut pair = Pair::new(&clean(), |certificate| {
        let mut config = certificate.server();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    });
    let mut config = ClientConfig::clone(&pair.config);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    pair.config = Arc::new(config);
    // The connector knows from the first server that the name speaks HTTP/1.1.
    let https = pair.connector();
    for _ in 0..2 {
        pair.request(&https, 443, Request::get("/").body(String::new()).unwrap());
    }
    let assert_answered_in = |version| {
        let request = Request::get("/answer/9").body(String::new()).unwrap();
        let answer = pair.request(&https, 8443, request);
        assert_eq!((answer.version(), answer.body()), (version, &pattern(9)));
    };
    assert_answered_in(http::Version::HTTP_11);
    assert_eq!(pair.log.take().len(), 1);
    assert_answered_in(http::Version::HTTP_2);
}

/// The fast SYN reaches the server and its answer is lost; the plain attempt that joins brings the same hello.
fn when_the_ticket_is_used_up() {
    let pair = Pair::new(&clean(), Certificate::server);
    for size in [1, 3_900, 9_000] {
        pair.get_ticket();
        pair.site
            .lab
            .set_rules([Rule::drop()
                .from("server")
                .on(SegmentKind::SynAck)
                .pick(Pick::Nth(1))])
            .unwrap();
        let body = "x".repeat(size);
        let answer = pair.request(&pair.connector(), 443, Request::post("/").body(body).unwrap());
        assert_eq!((answer.status().as_u16(), answer.body().len()), (200, size));
        let report = answer.extensions().get::<ConnectReport>().unwrap();
        assert_eq!(report.attempts().len(), 2, "the plain one joined: {report:?}");
        pair.site.lab.set_rules([]).unwrap();
    }
}

/// Not one for each ticket that is left.
fn a_tls_1_2_server_costs_one_retry() {
    let pair = Pair::new(&clean(), tls_1_2);
    let https = pair.connector();
    for _ in 0..4 {
        pair.get_ticket();
    }
    let capture = pair.site.lab.capture();
    for _ in 0..5 {
        let answer = pair.request(
            &https,
            8443,
            Request::get("/answer/9").body(String::new()).unwrap(),
        );
        assert_eq!(*answer.body(), pattern(9));
    }
    // The flags of a segment over IPv4 without options: a SYN, and no SYN-ACK.
    let is_syn = |frame: &Frame| frame.point == Point::Sent && frame.packet[33] & 0x12 == 0x02;
    let syns = capture.frames().iter().filter(|frame| is_syn(frame)).count();
    assert_eq!(syns, 6, "five requests and one retry");
}
