//! HTTPS for hyper's clients, with the first request as early data.

use std::fmt;
use std::future::Future;
use std::io::{Error, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::for_hyper::{HttpConnector, is_replay_safe};
use crate::for_tokio::LazyStream;

/// A connector for hyper-util's client that speaks TLS from the SYN on, and sends a resumed connection's first request with it.
///
/// The ClientHello travels in the SYN. With a session ticket for early data and a request with a safe method, the request does too: it
/// takes one round trip. All other requests wait until the TLS handshake is complete. If the server turns the early data away, the
/// request is sent again on the same connection, and reaches its application once.
///
/// Early data is sent before the server has named a protocol, so this is for HTTP/1.1: the configuration should name `http/1.1` or nothing in
/// its `alpn_protocols`, and have `enable_early_data` set. Only `https` URIs are taken.
#[derive(Clone)]
pub struct HttpsConnector {
    http: HttpConnector,
    tls: TlsConnector,
}

impl HttpsConnector {
    /// Connects as `http` does, with that configuration of TLS.
    pub fn new(http: HttpConnector, config: Arc<ClientConfig>) -> Self {
        Self {
            http,
            tls: TlsConnector::from(config).early_data(true),
        }
    }

    async fn stream(self, uri: Uri) -> Result<TokioIo<HttpsStream>> {
        let invalid = |why: &str| Error::new(std::io::ErrorKind::InvalidInput, format!("{why}: {uri}"));
        if uri.scheme_str() != Some("https") {
            return Err(invalid("not an https URI"));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| invalid("no name to be certified"))?;
        let replay_safe = self.http.has_replay_safe_requests();
        // What is early data has been judged by the time it is written.
        let lazy = self.http.lazy(uri, |_| true).await?;
        let tls = self.tls.connect(name, lazy).await?;
        Ok(TokioIo::new(HttpsStream {
            tls,
            replay_safe,
            opening: Opening::Silent,
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
        f.debug_tuple("HttpsConnector").field(&self.http).finish()
    }
}

/// A connection of an [`HttpsConnector`].
#[derive(Debug)]
pub struct HttpsStream {
    tls: TlsStream<LazyStream>,
    replay_safe: bool,
    opening: Opening,
}

#[derive(Debug)]
enum Opening {
    /// Nothing has been written.
    Silent,
    /// What was written first has to wait for the handshake.
    Waiting,
    /// Everything goes straight through.
    Over,
}

impl HttpsStream {
    /// The TLS stream below.
    pub fn get_ref(&self) -> &TlsStream<LazyStream> {
        &self.tls
    }

    /// Lets the first write pass as early data, or completes the handshake before it.
    fn poll_opening(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<()>> {
        if matches!(self.opening, Opening::Silent) {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            let only = bufs.iter().filter(|buf| !buf.is_empty()).count() == 1;
            let early = only && first.is_some_and(|buf| is_replay_safe(buf));
            self.opening = match early || self.replay_safe {
                true => Opening::Over,
                false => Opening::Waiting,
            };
        }
        if matches!(self.opening, Opening::Waiting) {
            ready!(Pin::new(&mut self.tls).poll_flush(cx))?;
            self.opening = Opening::Over;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for HttpsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_read(cx, buf)
    }
}

impl AsyncWrite for HttpsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        ready!(this.poll_opening(cx, bufs))?;
        Pin::new(&mut this.tls).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        match this.opening {
            // hyper flushes before it has a request; that would begin the handshake without it.
            Opening::Silent => Poll::Ready(Ok(())),
            Opening::Waiting | Opening::Over => Pin::new(&mut this.tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().tls).poll_shutdown(cx)
    }
}

impl Connection for HttpsStream {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.tls.get_ref().0.report().clone())
    }
}
