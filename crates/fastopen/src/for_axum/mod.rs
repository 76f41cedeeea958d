//! Servers on axum: the listener is tokio's own, and how each connection arrived is an extractor.
//!
//! `into_make_service_with_connect_info::<Peer>()` makes a [`Peer`] of each connection. Handlers take `ConnectInfo<Peer>`, and
//! [`ConfirmLayer`](crate::for_tower::ConfirmLayer) finds it, so that requests with consequences wait for the client's proof.
//!
//! # Examples
//! ```
//! use axum::Router;
//! use axum::extract::ConnectInfo;
//! use axum::routing::{get, post};
//! use fastopen::for_tokio::Peer;
//! use fastopen::for_tower::ConfirmLayer;
//!
//! async fn how(ConnectInfo(peer): ConnectInfo<Peer>) -> String {
//!     format!("{}: {}", peer.address(), peer.arrival().expect("this is Linux"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let app = Router::new()
//!     .route("/", get(how))
//!     .route("/orders", post(|| async { "ordered once" }))
//!     .layer(ConfirmLayer::new());
//! let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! # tokio::spawn(async move {
//! axum::serve(listener, app.into_make_service_with_connect_info::<Peer>()).await
//! # });
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # for request in ["GET / HTTP/1.0\r\n\r\n", "POST /orders HTTP/1.0\r\n\r\n"] {
//! #     let mut client = tokio::net::TcpStream::connect(address).await?;
//! #     client.write_all(request.as_bytes()).await?;
//! #     let mut answer = String::new();
//! #     client.read_to_string(&mut answer).await?;
//! #     assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
//! # }
//! # Ok(())
//! # }
//! ```

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::TcpListener;

use crate::for_tokio::Peer;

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self::of(stream.io(), *stream.remote_addr())
    }
}
