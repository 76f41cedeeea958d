//! TLS with rustls: the ClientHello in the SYN, and early data with it.
//!
//! # Clients
//! tokio-rustls over a [`LazyStream`](crate::for_tokio::LazyStream) sends its ClientHello in the SYN: a full handshake takes two round trips in
//! place of three, with the first answer in the second. [`hello_len`] says how long the hello is and [`small_key_shares`] keeps it short,
//! for a SYN holds about [`ROOM`] bytes.
//!
//! With a session ticket that allows early data (TLS 1.3), `TlsConnector::early_data(true)` puts the first write into the same SYN, and a
//! resumed request takes one round trip. Whoever can replay the SYN replays the early data too: it has to be
//! [`ReplaySafe`](crate::ReplaySafe) like everything in a SYN. `HttpsConnector` (with the feature `hyper`) does this
//! for HTTP, with safe methods only.
//!
//! ```no_run
//! use std::sync::Arc;
//! use fastopen::Connector;
//! use fastopen::for_tokio::LazyStream;
//! use tokio::io::AsyncWriteExt;
//! use tokio_rustls::TlsConnector;
//!
//! # async fn f(config: Arc<rustls::ClientConfig>) -> Result<(), Box<dyn std::error::Error>> {
//! let stream = LazyStream::replay_safe(Connector::new(), "example.com:443");
//! let connector = TlsConnector::from(config).early_data(true);
//! let mut stream = connector.connect("example.com".try_into()?, stream).await?;
//! stream.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").await?;
//! // Only now does it set out, as far as it is early data.
//! stream.flush().await?;
//! println!("early data accepted: {}", stream.get_ref().1.is_early_data_accepted());
//! # Ok(())
//! # }
//! ```
//!
//! # Early data that is turned away
//! A server may turn early data away, and then has to skip it by trial decryption. rustls' servers (0.23) count a record again whenever they receive
//! something before the next one that they can read: half of `max_early_data_size` in one record (8,176 bytes of 16 KiB) and more fails the connection
//! with `BadRecordMac`. `HttpsConnector` sends no more than a quarter. Whoever sends early data by other means, or serves clients that do, does
//! well to keep to that; a server can set `max_early_data_size` to more than its clients send.
//!
//! # Servers
//! [`accept`] takes a connection and returns when the ClientHello has been read, if there is early data with it, and after the handshake
//! otherwise. [`allow_early_data`] sets what a configuration needs for that. The handshake goes on by itself then. The
//! [`Peer`](crate::for_tokio::Peer) of such a connection is confirmed when the TLS handshake is complete: only then is the early data known
//! to be no replay.

#[cfg(feature = "axum")]
mod counters;
#[cfg(feature = "hyper")]
mod early;
mod handshake;
mod hello;
#[cfg(feature = "hyper")]
mod https;
#[cfg(feature = "hyper")]
mod known;
#[cfg(feature = "axum")]
mod listener;
mod session;
mod stream;
#[cfg(feature = "hyper")]
mod target;

#[cfg(feature = "axum")]
pub use counters::HandshakeCounters;
#[cfg(feature = "hyper")]
pub use early::EarlyDataStream;
pub use hello::{ROOM, hello_len, small_key_shares};
#[cfg(feature = "hyper")]
pub use https::{HttpsConnector, HttpsStream};
#[cfg(feature = "axum")]
pub use listener::TlsListener;
pub use stream::{ServerStream, accept, allow_early_data};
