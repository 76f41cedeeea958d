//! A hundred requests with consequences of each kind, on paths that lose and replay, given up at any moment: none runs before the client is
//! confirmed, though nothing but the client sees to that.

use std::sync::Arc;
use std::time::Duration;

use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{HttpsConnector, allow_early_data};
use fastopen_examples::certificate::Certificate;
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::testing::{LabTest, test};
use fastopen_lab::{Pick, Rule, Scenario};
use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::server::{Log, serve};

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    [("http/1.1", "storm::over_http1"), ("h2", "storm::over_http2")]
        .into_iter()
        .map(|(alpn, name)| test(name, move || nothing_runs_unconfirmed(alpn)))
}

const RUNS: u64 = 100;
const RTT: Duration = Duration::from_millis(8);

fn nothing_runs_unconfirmed(alpn: &'static str) {
    let replaying = Scenario::named("replay").unwrap().with_rtt(RTT);
    let site = Site::new(&replaying.with_rule(Rule::drop().pick(Pick::Probability(0.02))));
    let address = site.address(443);
    let certificate = Certificate::new(&[&address.ip().to_string()]);
    let mut config = certificate.server();
    allow_early_data(&mut config, 16 * 1024);
    config.alpn_protocols = vec![alpn.into()];
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(10_000);
    let log = Log::default();
    serve(&site, 443, config, log.app());
    let mut config = certificate.client();
    config.enable_early_data = true;
    config.alpn_protocols = vec![alpn.into()];
    let http = HttpConnector::new().with_connector(connector());
    let https = HttpsConnector::new(http, Arc::new(config));
    for method in ["POST", "DELETE", "QUERY", "PATCH"] {
        let https = https.clone();
        site.client(async move {
            let mut running = JoinSet::new();
            for run in 0..RUNS {
                let client = Client::builder(TokioExecutor::new()).build::<_, String>(https.clone());
                // Every second one is a GET, whose connection the next ones may share while its handshake goes on.
                let requests = if run % 2 == 0 {
                    vec![method]
                } else {
                    vec!["GET", method, method]
                };
                for (n, method) in requests.into_iter().enumerate() {
                    let request = Request::builder()
                        .method(method)
                        .uri(format!("https://{address}/"));
                    let request = request.body(String::new()).unwrap();
                    let (client, patience) = (client.clone(), RTT * (run % 5) as u32);
                    running.spawn(async move {
                        sleep(RTT / 4 * n as u32).await;
                        // A fifth is not given up.
                        let patience = if run % 5 == 0 {
                            Duration::from_secs(5)
                        } else {
                            patience
                        };
                        let _ = timeout(patience, client.request(request)).await;
                        sleep(4 * RTT).await;
                    });
                }
                sleep(Duration::from_millis(3)).await;
            }
            while running.join_next().await.is_some() {}
        });
    }
    let ran = log.take();
    let early = ran.iter().filter(|ran| !ran.confirmed);
    let (safe, unsafe_ones): (Vec<_>, Vec<_>) = early.partition(|ran| ran.method == "GET");
    let with_consequences = ran.iter().filter(|ran| ran.method != "GET").count();
    assert!(unsafe_ones.is_empty(), "{unsafe_ones:?}");
    assert!(
        safe.len() > 10 && with_consequences > 100,
        "{alpn}: only {} GETs ran early, and {with_consequences} others after the proof",
        safe.len()
    );
}
