//! From a URI to a stream that connects with the request.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::first_flight::is_replay_safe;
use super::stream::HttpStream;
use crate::connect::{ConnectError, Connector, ToDestination};
use crate::for_tokio::LazyStream;

/// A connector for hyper-util's client, tonic and whatever else takes a `Service<Uri>`. Requests travel in the SYN.
///
/// Its streams connect when the request is written, and decide by what that is:
///
/// | what is written first | in the SYN |
/// |---|---|
/// | a GET, HEAD, OPTIONS or TRACE without a body (safe methods, RFC 9110 section 9.2.1) | yes |
/// | any other request, such as a POST | no: it waits for an ordinary handshake |
/// | a request with a body, also one that is still to come; with `Upgrade` or `Expect` | no |
/// | a request whose head is longer than [`FIRST_FLIGHT`](LazyStream::FIRST_FLIGHT) | no: a body may be announced at its end |
/// | a TLS ClientHello, from hyper-rustls and its like | yes; not with early data behind it |
/// | HTTP/2 without TLS: a GET that follows the connection's preface within a millisecond | yes, both |
/// | HTTP/2 without TLS: any other request | no: it waits, and the preface with it |
///
/// Only `http` URIs are taken, so that no `https` request leaves unencrypted: see [`enforce_http`](Self::enforce_http).
///
/// A pooled connection that is used again has its handshake behind it. Each response has a [`ConnectReport`](crate::for_tokio::ConnectReport)
/// among its extensions.
///
/// A name that can't be resolved fails the connector, and hyper-util's `Error::is_connect` is true. A connection that can't be made fails
/// the request, because it is made when the request is written: `is_connect` is false. Either way the [`ConnectError`] is among the
/// error's sources.
///
/// # What it works with
/// hyper-util's `legacy::Client`; `hyper::client::conn` over the stream that it makes; hyper-rustls' `HttpsConnectorBuilder::wrap_connector`,
/// with `enforce_http(false)` as for hyper-util's own connector; tonic's `Endpoint::connect_with_connector` and `connect_with_connector_lazy`. A gRPC call is a POST, so it needs
/// [`with_replay_safe_requests`](Self::with_replay_safe_requests). It does not work with reqwest, whose connector layers wrap its own
/// connector and cannot replace it.
///
/// # Beside hyper-util's connector
/// The settings of `hyper_util::client::legacy::connect::HttpConnector`, their defaults, and what they are called here. Defaults are the
/// same where nothing else is said.
///
/// | there | default | here |
/// |---|---|---|
/// | `enforce_http` | true | [`enforce_http`](Self::enforce_http) |
/// | `set_nodelay` | false | [`with_nodelay`](Self::with_nodelay) |
/// | `new_with_resolver` | `getaddrinfo` in a thread | the same; another with [`Connector::with_resolver`] |
/// | `set_connect_timeout` | none; divided among the addresses | [`Connector::with_attempt_timeout`], the same for each attempt; [`Connector::with_timeout`] limits resolving, and then connecting with all attempts |
/// | `set_happy_eyeballs_timeout` | 300 ms, between the families | 250 ms, between any two addresses: RFC 8305, which replaced the RFC 6555 that hyper-util follows; [`Connector::with_address_delay`] |
/// | `set_local_address` | none | [`Connector::with_local_address`] |
/// | `set_interface`, `set_mark` | none | [`Connector::with_device`], [`Connector::with_mark`] |
/// | `set_local_addresses`, `set_reuse_address`, `set_send_buffer_size`, `set_recv_buffer_size`, `set_keepalive` and its siblings, `set_tcp_user_timeout` | unset | [`Connector::with_socket_setup`], which is given the socket |
/// | `HttpInfo` in each response | yes | no: there is no connection yet when hyper asks. The [`ConnectReport`](crate::for_tokio::ConnectReport)'s attempts have the server's address |
///
/// They are given with [`with_connector`](Self::with_connector). Here an option that can't be set fails the connection, except
/// `TCP_NODELAY`; hyper-util ignores some such failures.
#[derive(Clone, Debug)]
pub struct HttpConnector {
    connector: Connector,
    enforce_http: bool,
    nodelay: bool,
    replay_safe: bool,
}

impl HttpConnector {
    /// Connects with the usual settings.
    pub fn new() -> Self {
        Self {
            connector: Connector::new(),
            enforce_http: true,
            nodelay: false,
            replay_safe: false,
        }
    }

    /// Sets how to connect: policy, timeout, path memory and so on.
    #[must_use]
    pub fn with_connector(self, connector: Connector) -> Self {
        Self { connector, ..self }
    }

    /// Sets whether a URI must have the scheme `http`, as it must unless this says otherwise.
    ///
    /// This connector sends what it is given as it is. To be turned off for a connector that something else speaks TLS over, such as
    /// hyper-rustls; [`HttpsConnector`](crate::for_rustls::HttpsConnector) does it by itself.
    #[must_use]
    pub fn enforce_http(self, is_enforced: bool) -> Self {
        Self {
            enforce_http: is_enforced,
            ..self
        }
    }

    /// Sets `TCP_NODELAY` on every connection, as hyper-util's connector can.
    #[must_use]
    pub fn with_nodelay(self, nodelay: bool) -> Self {
        Self { nodelay, ..self }
    }

    /// **By calling this the caller says that every request is [`ReplaySafe`](crate::ReplaySafe)**, whatever its method; so they all travel in the SYN.
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

    async fn stream(self, uri: Uri) -> io::Result<TokioIo<HttpStream>> {
        let replay_safe = self.replay_safe;
        let lazy = self.lazy(uri, move |bytes| replay_safe || is_replay_safe(bytes));
        Ok(TokioIo::new(HttpStream::new(lazy.await?)))
    }

    /// A stream to that host, which connects when it is written to.
    pub(crate) async fn lazy(
        self,
        uri: Uri,
        is_replay_safe: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> io::Result<LazyStream> {
        let (host, port) = host_and_port(&uri, self.enforce_http)?;
        let destination = (host, port).to_destination();
        let addresses = self.connector.resolve_tokio(destination, Instant::now()).await;
        let addresses = addresses.map_err(with_attempts)?;
        let connector = self.connector.with_nodelay(self.nodelay);
        Ok(LazyStream::judged(connector, addresses, is_replay_safe))
    }
}

impl Service<Uri> for HttpConnector {
    type Response = TokioIo<HttpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().stream(uri))
    }
}

impl Default for HttpConnector {
    fn default() -> Self {
        Self::new()
    }
}

/// A plain conversion would keep the error number, where there is one, and lose the rest.
fn with_attempts(error: ConnectError) -> io::Error {
    io::Error::new(error.kind(), error)
}

/// Where a URI leads. The errors' words are hyper-util's, so that whoever knows these knows what to do.
fn host_and_port(uri: &Uri, enforce_http: bool) -> io::Result<(&str, u16)> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("invalid URL, {why}"));
    match uri.scheme_str() {
        Some(scheme) if enforce_http && scheme != "http" => {
            let why = format!("scheme is not http but {scheme}: it takes a connector that speaks TLS");
            return Err(invalid(&why));
        }
        None => return Err(invalid("scheme is missing")),
        Some(_) => {}
    }
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| invalid("host is missing"))?;
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let default = if uri.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    Ok((address, uri.port_u16().unwrap_or(default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (uri, host, port) in [
            ("http://example.com/", "example.com", 80),
            ("http://[2001:db8::1]:8080/", "2001:db8::1", 8080),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(host_and_port(&uri, true).unwrap(), (host, port));
            assert_eq!(host_and_port(&uri, false).unwrap(), (host, port));
        }
        let https = Uri::from_static("https://example.com/");
        assert_eq!(host_and_port(&https, false).unwrap(), ("example.com", 443));
    }

    #[test]
    fn other_schemes_are_refused() {
        let why = |uri: &'static str, enforce_http| {
            host_and_port(&Uri::from_static(uri), enforce_http)
                .unwrap_err()
                .to_string()
        };
        for uri in [
            "https://example.com/secret",
            "ftp://example.com/",
            "HTTPS://example.com/",
        ] {
            let why = why(uri, true);
            assert!(why.starts_with("invalid URL, scheme is not http"), "{why}");
        }
        for enforced in [true, false] {
            let why = why("/path", enforced);
            assert!(why.starts_with("invalid URL, scheme is missing"), "{why}");
        }
    }
}
