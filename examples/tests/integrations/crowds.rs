//! A thousand requests at once, over every path that lets a connection live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use fastopen::for_hyper::HttpConnector;
use fastopen::for_tower::ConfirmLayer;
use fastopen_examples::lab::{Site, connector};
use fastopen_lab::Scenario;
use fastopen_lab::testing::{LabTest, test};
use http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

const REQUESTS: u32 = 1000;

pub(crate) fn tests() -> impl Iterator<Item = LabTest> {
    let paths =
        Scenario::all().filter(|scenario| !["blackhole", "unreachable"].contains(&&scenario.name[..]));
    paths.map(|scenario| {
        test(
            format!("crowds::a_thousand_requests_over_{}", scenario.name),
            move || {
                a_thousand_requests(&scenario);
            },
        )
    })
}

type Orders = Arc<Mutex<HashMap<u32, u32>>>;

/// Every fourth is an order. Each request has a connection of its own.
fn a_thousand_requests(scenario: &Scenario) {
    let site = Site::new(&scenario.clone().with_rtt(Duration::from_millis(10)));
    let orders = Orders::default();
    let executed = Arc::clone(&orders);
    let order = move |Path(id): Path<u32>, body: String| async move {
        *executed.lock().unwrap().entry(id).or_default() += 1;
        body
    };
    let app = Router::new().route("/{id}", get(|Path(id): Path<String>| async { id }).post(order));
    let address = site.serve(80, app.layer(ConfirmLayer::new()));
    site.client(async move {
        let http = HttpConnector::new().with_connector(connector().with_delay(Duration::from_millis(250)));
        let mut running = JoinSet::new();
        for id in 0..REQUESTS {
            let client = Client::builder(TokioExecutor::new()).build::<_, String>(http.clone());
            let (method, body) = if id % 4 == 0 {
                ("POST", id.to_string())
            } else {
                ("GET", String::new())
            };
            let request = Request::builder()
                .method(method)
                .uri(format!("http://{address}/{id}"));
            let request = request.body(body).unwrap();
            running.spawn(async move {
                let response = client.request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                let body = axum::body::Body::new(response.into_body());
                assert_eq!(axum::body::to_bytes(body, 100).await.unwrap(), id.to_string());
            });
            // The first gets the cookie.
            if id == 0 {
                running.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(done) = running.join_next().await {
            done.unwrap();
        }
    });
    let orders = orders.lock().unwrap();
    assert_eq!(orders.len() as u32, REQUESTS / 4);
    assert!(
        orders.values().all(|times| *times == 1),
        "each order once: {orders:?}"
    );
}
