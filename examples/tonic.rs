//! A gRPC service and its client in one program, without protoc. The calls may be repeated, and the client says so, for gRPC makes a
//! POST of each:
//!
//! ```text
//! cargo run -p fastopen-examples --example tonic
//! ```

use std::error::Error;

use fastopen::Connector;
use fastopen::for_hyper::HttpConnector;
use fastopen_examples::echo::{Echo, echo};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
    let uri = format!("http://{}", listener.local_addr()?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(Server::builder().serve_with_incoming(Echo, incoming));

    let connector = HttpConnector::new()
        .with_connector(Connector::new())
        .with_nodelay(true)
        .with_replay_safe_requests();
    // Lazy, so that the connection waits for the first call and takes it along.
    let channel = Endpoint::from_shared(uri)?.connect_with_connector_lazy(connector);
    let answer = echo(channel, b"hello").await?;
    println!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}
