//! A server on axum that tells each client how it arrived, and takes orders only from clients who have proved their address:
//!
//! ```text
//! cargo run -p fastopen-examples --example axum_server -- [ADDRESS:PORT]
//! curl --tcp-fastopen http://127.0.0.1:8080/
//! ```
//!
//! `net.ipv4.tcp_fastopen` needs its server bit for it (`sysctl -w net.ipv4.tcp_fastopen=3`); the server says so where it is off.

use std::error::Error;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use fastopen::ListenOptions;
use fastopen::for_tokio::Peer;
use fastopen::for_tower::ConfirmLayer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let app = Router::new()
        .route("/", get(how))
        .route("/orders", post(|| async { "ordered once\n" }))
        .layer(ConfirmLayer::new());
    let listening = ListenOptions::new().listen_tokio(address).await?;
    for warning in &listening.warnings {
        eprintln!("warning: {warning}");
    }
    println!("listening on http://{}/", listening.listener.local_addr()?);
    axum::serve(
        listening.listener,
        app.into_make_service_with_connect_info::<Peer>(),
    )
    .await?;
    Ok(())
}

async fn how(ConnectInfo(peer): ConnectInfo<Peer>) -> String {
    match peer.arrival() {
        Some(arrival) => format!("{}: {arrival}\n", peer.address()),
        None => format!("{}: this system does not tell\n", peer.address()),
    }
}
