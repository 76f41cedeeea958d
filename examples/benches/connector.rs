//! What the connector costs: a GET on a new connection, against hyper-util's own connector.
//!
//! Over loopback, in a network of its own, with a warm cookie. Client and server share one thread that never waits, so the time is
//! processor time. How many round trips it saves on a real path is what the example `round_trips` shows.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use criterion::Criterion;
use fastopen::for_hyper::HttpConnector;
use fastopen_lab::{HostSpec, Lab, Scenario};
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector as PlainConnector};
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Builder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // It asks cargo where to put its reports, and cargo may want the network: before there is none.
    let mut criterion = Criterion::default()
        .measurement_time(Duration::from_secs(10))
        .configure_from_args();
    fastopen_lab::enter()?;
    let client = HostSpec::new("client")
        .with_sysctl("net.ipv4.tcp_fastopen", "3")
        // Every request leaves a connection in TIME_WAIT.
        .with_sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        .with_sysctl("net.ipv4.tcp_tw_reuse", "1");
    let lab = Lab::new(&Scenario::new("loopback").with_host(client))?;
    lab.client()?.enter_thread()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let uri = runtime.block_on(async {
        let listener = fastopen::for_tokio::listen(SocketAddr::from(([127, 0, 0, 1], 80))).await?;
        let uri: Uri = format!("http://{}/", listener.local_addr()?)
            .parse()
            .map_err(std::io::Error::other)?;
        let app = Router::new().route("/", get(|| async { "hello" }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        std::io::Result::Ok(uri)
    })?;
    let mut group = criterion.benchmark_group("a GET on a new connection");
    group.bench_function("hyper-util", |bencher| {
        bencher.iter(|| runtime.block_on(request(PlainConnector::new(), &uri)));
    });
    group.bench_function("fastopen", |bencher| {
        bencher.iter(|| runtime.block_on(request(HttpConnector::new(), &uri)));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

async fn request<C: Connect + Clone + Send + Sync + 'static>(connector: C, uri: &Uri) {
    let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector);
    let response = client.get(uri.clone()).await.expect("it is answered");
    let body = axum::body::Body::new(response.into_body());
    assert_eq!(axum::body::to_bytes(body, 100).await.expect("all of it"), "hello");
}
