//! HTTP servers: requests that have consequences wait until the client has proved its address.
//!
//! A SYN can be sent again by whoever has seen it, and the request in it with it. The server then reads the request a second time, on a
//! second connection that never completes its handshake. This is what RFC 8470 is about for TLS early data; [`ConfirmLayer`] does
//! the same for TCP Fast Open.
//!
//! The layer needs a [`Peer`](crate::for_tokio::Peer) among each request's extensions. `fastopen::for_axum` says how it gets there with axum;
//! a server on hyper puts it there itself: `request.extensions_mut().insert(peer.clone())`.

mod confirm;

pub use confirm::{Confirm, ConfirmLayer};
