//! Fetches a URL over hyper, twice, each time on a new connection. The second request travels in the SYN, if the server has Fast Open:
//!
//! ```text
//! cargo run -p fastopen-examples --example axum_server
//! cargo run -p fastopen-examples --example hyper_client -- http://127.0.0.1:8080/
//! ```

use std::error::Error;

use fastopen::for_hyper::HttpConnector;
use fastopen::for_tokio::ConnectReport;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let uri: Uri = std::env::args()
        .nth(1)
        .ok_or("usage: hyper_client URL")?
        .parse()?;
    for _ in 0..2 {
        // A new client, so that it has no connection yet.
        let client = Client::builder(TokioExecutor::new()).build::<_, String>(HttpConnector::new());
        let response = client.get(uri.clone()).await?;
        if let Some(outcome) = response
            .extensions()
            .get::<ConnectReport>()
            .and_then(ConnectReport::outcome)
        {
            println!("{}; the first bytes: {outcome}", response.status());
        }
    }
    Ok(())
}
