//! HTTP clients built on hyper: a connector that sends the request in the SYN.
//!
//! # Examples
//! ```
//! use fastopen::for_hyper::HttpConnector;
//! use fastopen::for_tokio::ConnectReport;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
//! # let uri = format!("http://{}/", listener.local_addr()?).parse()?;
//! # tokio::spawn(async move {
//! #     let (mut stream, _) = listener.accept().await?;
//! #     let _ = stream.read(&mut [0; 1000]).await?;
//! #     stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await
//! # });
//! let client = Client::builder(TokioExecutor::new()).build::<_, String>(HttpConnector::new());
//! let response = client.get(uri).await?;
//! let report = response.extensions().get::<ConnectReport>().expect("it is in every response");
//! println!("{}: the request was {}", response.status(), report.outcome().expect("it has connected"));
//! # Ok(())
//! # }
//! ```

mod connector;
mod first_flight;
mod stream;

pub use connector::HttpConnector;
#[cfg(feature = "rustls")]
pub(crate) use first_flight::is_replay_safe;
pub use stream::HttpStream;
