//! HTTPS for hyper's clients, with the first request as early data.

use std::fmt;
use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tower_service::Service;

use super::early::EarlyDataStream;
use super::target::{Settings, Target};
use crate::for_hyper::{HttpConnector, HttpStream};

/// A connector for hyper-util's client that speaks TLS from the SYN on, and sends a resumed connection's first request with it.
///
/// The ClientHello travels in the SYN. With a session ticket for early data (the configuration has `enable_early_data` set) and a first
/// request that may be sent twice, that request does too, and takes one round trip:
///
/// | what is written first | early data |
/// |---|---|
/// | what the [`HttpConnector`] would send in a SYN: a GET, HEAD, OPTIONS or TRACE without a body; over HTTP/2 a GET | yes, up to 4 KB |
/// | anything else | no: it waits until the TLS handshake is complete |
/// | anything, [by the caller's word](HttpConnector::with_replay_safe_requests) | yes, up to 4 KB |
/// | whatever follows it | no |
///
/// # When the server does not take it
/// - **Early data turned away** (the server was restarted, has other keys, or asks for another key share) is sent again on the same
///   connection when its handshake is complete. The server's application sees it once.
/// - **A connection that fails for it** (the server now speaks TLS 1.2, or another protocol than the ticket was for), or an answer of 425
///   (Too Early, RFC 8470) over HTTP/1.1, is followed by a second connection without early data, once. So is all else to that server for
///   a minute. Over HTTP/2 the 425 reaches the caller, and the same request again will not be early, for it has the same connection.
///
/// The limit is a quarter of the early data that the server allows, and at most 4 KB. More waits because many servers can't skip more when
/// they turn it away: rustls' own fails with `BadRecordMac` from 8,176 bytes on.
///
/// # HTTP/1.1 and HTTP/2
/// The configuration's `alpn_protocols` say what is offered. With `h2` among them the server chooses, and hyper-util's client follows; it needs
/// its feature `http2` for that. Early data has to be in the protocol that will be chosen, which is taken to be the one that the server chose the last time.
///
/// Only `https` URIs are taken. The [`ConnectReport`](crate::for_tokio::ConnectReport) of a response is the first connection's.
#[derive(Clone)]
pub struct HttpsConnector(Arc<Settings>);

impl HttpsConnector {
    /// Connects as `http` does, with that configuration of TLS.
    pub fn new(http: HttpConnector, config: Arc<ClientConfig>) -> Self {
        Self(Arc::new(Settings::new(http, config)))
    }

    async fn stream(self, uri: Uri) -> Result<TokioIo<HttpsStream>> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidInput, why);
        if uri.scheme_str() != Some("https") {
            let scheme = uri.scheme_str().unwrap_or("missing");
            return Err(invalid(format!("invalid URL, scheme is not https but {scheme}")));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| invalid(format!("no certificate can be for the host {host:?}")))?;
        let replay_safe = self.0.http().has_replay_safe_requests();
        let target = Target::new(self.0, uri, name);
        let connection = target.connect().await?;
        let is_open = !connection.tls.get_ref().1.is_handshaking();
        let stream = EarlyDataStream::new(connection, target, replay_safe);
        Ok(TokioIo::new(match is_open {
            true => HttpStream::opened(stream),
            false => HttpStream::new(stream),
        }))
    }
}

impl Service<Uri> for HttpsConnector {
    type Response = TokioIo<HttpsStream>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().stream(uri))
    }
}

impl fmt::Debug for HttpsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpsConnector").field(self.0.http()).finish()
    }
}

/// A connection of an [`HttpsConnector`].
pub type HttpsStream = HttpStream<EarlyDataStream>;

impl Connection for HttpsStream {
    fn connected(&self) -> Connected {
        let stream = self.get_ref();
        let connected = Connected::new().extra(stream.get_ref().get_ref().0.report().clone());
        match stream.is_http2() {
            true => connected.negotiated_h2(),
            false => connected,
        }
    }
}
