//! From a URI to a stream that connects with the request.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::lookup_host;
use tower_service::Service;

use super::first_flight::is_replay_safe;
use super::stream::HttpStream;
use crate::for_tokio::LazyStream;
use crate::{ConnectError, Connector, ReplaySafe};

/// A connector for hyper-util's client, tonic and whatever else takes a `Service<Uri>`. Requests travel in the SYN.
///
/// Its streams connect when the request is written, and decide by what that is:
///
/// | what is written first | in the SYN |
/// |---|---|
/// | a GET, HEAD, OPTIONS or TRACE without a body (safe methods, RFC 9110 section 9.2.1) | yes |
/// | any other request, such as a POST; a request with a body | no: it waits for an ordinary handshake |
/// | a TLS ClientHello, from hyper-rustls and its like | yes; not with early data behind it |
/// | HTTP/2 without TLS: a GET that follows the connection's preface within a millisecond | yes, both |
/// | HTTP/2 without TLS: any other request | no: it waits, and the preface with it |
///
/// A pooled connection that is used again has its handshake behind it. Each response has a [`ConnectReport`](crate::for_tokio::ConnectReport)
/// among its extensions.
///
/// A connection that can't be made fails the request, not the connector: hyper-util's `Error::is_connect` is false for it, and the
/// [`ConnectError`] is among the error's sources.
///
/// # What it works with
/// hyper-util's `legacy::Client`; `hyper::client::conn` over the stream that it makes; hyper-rustls' `HttpsConnectorBuilder::wrap_connector`;
/// tonic's `Endpoint::connect_with_connector` and its lazy sister. A gRPC call is a POST, so it needs
/// [`with_replay_safe_requests`](Self::with_replay_safe_requests). reqwest makes its sockets itself: its connector layers wrap
/// its own connector and cannot put another one in its place, so it has no part in this.
#[derive(Clone, Debug, Default)]
pub struct HttpConnector {
    connector: Connector,
    nodelay: bool,
    replay_safe: bool,
}

impl HttpConnector {
    /// Connects with the usual settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how to connect: policy, timeout, path memory and so on.
    #[must_use]
    pub fn with_connector(self, connector: Connector) -> Self {
        Self { connector, ..self }
    }

    /// Sets `TCP_NODELAY` on every connection, as hyper-util's connector can.
    #[must_use]
    pub fn with_nodelay(self, nodelay: bool) -> Self {
        Self { nodelay, ..self }
    }

    /// **By calling this the caller says that every request is [`ReplaySafe`]**, whatever its method; so they all travel in the SYN.
    ///
    /// For gRPC services whose calls may be repeated, for instance, since gRPC makes a POST of every call. With TLS it covers early
    /// data, if there is any.
    #[must_use]
    pub fn with_replay_safe_requests(self) -> Self {
        Self {
            replay_safe: true,
            ..self
        }
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn has_replay_safe_requests(&self) -> bool {
        self.replay_safe
    }

    async fn stream(self, uri: Uri) -> Result<TokioIo<HttpStream>, ConnectError> {
        let replay_safe = self.replay_safe;
        let lazy = self.lazy(uri, move |bytes| replay_safe || is_replay_safe(bytes));
        Ok(TokioIo::new(HttpStream::new(lazy.await?)))
    }

    /// A stream to that host, which connects when it is written to.
    pub(crate) async fn lazy(
        self,
        uri: Uri,
        is_replay_safe: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> Result<LazyStream, ConnectError> {
        let (host, port) = host_and_port(&uri).map_err(ConnectError::Resolve)?;
        let addresses = lookup_host((host, port)).await.map_err(ConnectError::Resolve)?;
        let addresses: Arc<[_]> = addresses.collect();
        let memory = self.connector.memory().clone();
        let dial = move |first_bytes| -> crate::for_tokio::Connecting {
            let (this, addresses) = (self.clone(), Arc::clone(&addresses));
            Box::pin(async move {
                let connected = this
                    .connector
                    .connect_tokio(&addresses[..], ReplaySafe(first_bytes))
                    .await?;
                if this.nodelay {
                    // What counts is that there is a connection; this only makes it quicker.
                    let _ = connected.stream.set_nodelay(true);
                }
                Ok(connected)
            })
        };
        Ok(LazyStream::dialing(memory, dial, is_replay_safe))
    }
}

impl Service<Uri> for HttpConnector {
    type Response = TokioIo<HttpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().stream(uri))
    }
}

fn host_and_port(uri: &Uri) -> io::Result<(&str, u16)> {
    let host = uri
        .host()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("there is no host in {uri}")))?;
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https")) => 443,
        (None, _) => 80,
    };
    Ok((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (uri, host, port) in [
            ("http://example.com/", "example.com", 80),
            ("https://example.com/", "example.com", 443),
            ("http://[2001:db8::1]:8080/", "2001:db8::1", 8080),
        ] {
            assert_eq!(host_and_port(&uri.parse().unwrap()).unwrap(), (host, port));
        }
        assert!(host_and_port(&Uri::from_static("/path")).is_err());
    }
}
