//! How a client reaches a server over TLS: with early data, or without.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Instant;

use http::Uri;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::known::KnownServers;
use crate::for_hyper::HttpConnector;
use crate::for_tokio::LazyStream;

/// HTTP/2's name in ALPN (RFC 9113, section 3.2).
const HTTP2: &[u8] = b"h2";

/// What all connections of a connector share.
#[derive(Debug)]
pub(super) struct Settings {
    http: HttpConnector,
    /// Sends early data where it can.
    early: Arc<ClientConfig>,
    /// Resumes sessions with the same tickets, but completes the handshake first.
    late: Arc<ClientConfig>,
    known: KnownServers,
}

impl Settings {
    pub(super) fn new(http: HttpConnector, config: Arc<ClientConfig>) -> Self {
        let mut late = ClientConfig::clone(&config);
        late.enable_early_data = false;
        Self {
            http: http.enforce_http(false),
            early: config,
            late: Arc::new(late),
            known: KnownServers::default(),
        }
    }

    pub(super) fn http(&self) -> &HttpConnector {
        &self.http
    }

    fn alpn(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.early.alpn_protocols.iter()
    }
}

/// A server, and how to reach it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    settings: Arc<Settings>,
    uri: Uri,
    name: ServerName<'static>,
}

/// A TLS connection whose handshake is complete, or waits for early data.
pub(super) struct TlsConnection {
    pub(super) tls: TlsStream<LazyStream>,
    /// The protocol that was chosen, or will be: HTTP/2 or HTTP/1.
    pub(super) http2: bool,
}

impl Target {
    pub(super) fn new(settings: Arc<Settings>, uri: Uri, name: ServerName<'static>) -> Self {
        Self { settings, uri, name }
    }

    /// Makes a connection. Its handshake is complete, unless there can be early data.
    pub(super) async fn connect(&self) -> Result<TlsConnection> {
        let Settings {
            early, late, known, ..
        } = &*self.settings;
        let only = (!self.settings.alpn().any(|name| name == HTTP2)).then_some(false);
        let early_protocol = known.early_protocol(&self.name, only, Instant::now());
        let config = if early_protocol.is_some() { early } else { late };
        let tls = TlsConnector::from(Arc::clone(config)).early_data(true);
        let tls = tls.connect(self.name.clone(), self.lazy().await?).await?;
        let session = tls.get_ref().1;
        let http2 = match early_protocol {
            Some(expected) if session.is_handshaking() => expected,
            _ => {
                let http2 = is_http2(session);
                known.negotiated(&self.name, http2);
                http2
            }
        };
        Ok(TlsConnection { tls, http2 })
    }

    /// Makes a connection without early data, for what was begun in that protocol on another.
    pub(super) async fn connect_late(self, http2: bool) -> Result<TlsConnection> {
        let offered = self.settings.alpn().filter(|name| (*name == HTTP2) == http2);
        let offered = offered.cloned().collect();
        let tls = TlsConnector::from(Arc::clone(&self.settings.late));
        let lazy = self.lazy().await?;
        let tls = tls.with_alpn(offered).connect(self.name, lazy).await?;
        if is_http2(tls.get_ref().1) != http2 {
            let why = "the server has changed its protocol between HTTP/1 and HTTP/2: the next request will go by the new one";
            return Err(Error::new(ErrorKind::ConnectionAborted, why));
        }
        Ok(TlsConnection { tls, http2 })
    }

    async fn lazy(&self) -> Result<LazyStream> {
        // What is early data has been judged by the time it is written, and a ClientHello may be replayed.
        self.settings.http.clone().lazy(self.uri.clone(), |_| true).await
    }

    /// Takes down which protocol the server has chosen.
    pub(super) fn negotiated(&self, http2: bool) {
        self.settings.known.negotiated(&self.name, http2);
    }

    /// Takes down that the server did not take early data well.
    pub(super) fn refused_early_data(&self) {
        self.settings.known.refused_early_data(&self.name, Instant::now());
    }
}

/// Whether the server has chosen HTTP/2.
pub(super) fn is_http2(session: &ClientConnection) -> bool {
    session.alpn_protocol() == Some(HTTP2)
}
