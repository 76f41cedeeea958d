//! An HTTPS server on axum and a client on hyper in one program: the second request is early data of a resumed session, and travels in the
//! SYN with the ClientHello.
//!
//! ```text
//! cargo run -p fastopen-examples --example https
//! ```

use std::error::Error;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use fastopen::for_hyper::HttpConnector;
use fastopen::for_rustls::{HttpsConnector, TlsListener, allow_early_data, hello_len};
use fastopen::for_tokio::{ConnectReport, Peer};
use fastopen::for_tower::ConfirmLayer;
use fastopen_examples::certificate::Certificate;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let certificate = Certificate::new(&["127.0.0.1"]);
    let mut config = certificate.server();
    allow_early_data(&mut config, 16 * 1024);
    let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
    let uri: http::Uri = format!("https://{}/", listener.local_addr()?).parse()?;
    let app = Router::new().route("/", get(how)).layer(ConfirmLayer::new());
    let app = app.into_make_service_with_connect_info::<Peer>();
    tokio::spawn(async move { axum::serve(TlsListener::new(listener, config.into()), app).await });

    let mut config = certificate.client();
    config.enable_early_data = true;
    let config = std::sync::Arc::new(config);
    println!(
        "a ClientHello has {} bytes",
        hello_len(&config, "127.0.0.1".try_into()?)?
    );
    let connector = HttpsConnector::new(HttpConnector::new().with_nodelay(true), config);
    for _ in 0..3 {
        // A new client, so that it has no connection yet; the connector keeps the session tickets.
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(connector.clone());
        let response = client.get(uri.clone()).await?;
        if let Some(report) = response.extensions().get::<ConnectReport>() {
            println!("{:?}", report.attempts().first().map(|attempt| attempt.syn));
        }
        let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), 1000).await?;
        println!("{}", String::from_utf8_lossy(&body));
    }
    Ok(())
}

async fn how(ConnectInfo(peer): ConnectInfo<Peer>) -> String {
    format!(
        "{}: {:?}",
        peer.address(),
        peer.arrival().map(|arrival| arrival.kind)
    )
}
