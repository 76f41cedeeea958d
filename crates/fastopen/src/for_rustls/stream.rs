//! The server's end of a TLS connection, which can answer early data before the handshake is complete.

use std::io::{Error, ErrorKind, Result, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::handshake::complete;
use super::session::Shared;
use crate::for_tokio::Peer;
use crate::for_tokio::wakers::Side;

/// Lets a server take so many bytes of early data per connection, and answer them at once (TLS 1.3).
///
/// rustls keeps sessions in the server's memory for it, so that each ticket is good for early data once; the configuration's
/// `session_storage` says how many. Early data is [`ReplaySafe`](crate::ReplaySafe) or dangerous:
/// `ConfirmLayer` (with the feature `tower`) keeps requests with consequences waiting.
pub fn allow_early_data(config: &mut ServerConfig, bytes: u32) {
    config.max_early_data_size = bytes;
    config.send_half_rtt_data = true;
}

/// How long a client may take for its handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Takes an accepted connection through its TLS handshake, or as far as its early data.
///
/// In the second case the server's part of the handshake is on its way, and the rest goes on by itself, in a task: the client's
/// confirmation arrives whether or not anybody reads, and a stream that is closed or dropped closes when the handshake is complete. The client
/// has ten seconds for that; then the stream fails. `TCP_NODELAY` is set, for TLS writes in small pieces that must not wait for each other's acknowledgement.
///
/// # Errors
/// The handshake failed, or the connection broke. It waits as long as the client does: set a limit with `tokio::time::timeout`.
pub async fn accept(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    address: SocketAddr,
) -> Result<ServerStream> {
    let begun = begin(config, stream, address).await?;
    if begun.is_handshaking() {
        tokio::spawn(complete(Arc::clone(&begun.shared), HANDSHAKE));
    }
    Ok(begun)
}

/// As [`accept`], but leaves it to the caller to [complete] the handshake.
pub(super) async fn begin(
    config: Arc<ServerConfig>,
    tcp: TcpStream,
    address: SocketAddr,
) -> Result<ServerStream> {
    // What counts is that there is a connection; this only makes it quicker.
    let _ = tcp.set_nodelay(true);
    let tls = ServerConnection::new(config).map_err(Error::other)?;
    let (confirmed, watched) = watch::channel(false);
    let stream = ServerStream {
        peer: Peer::new(&tcp, address, Some(watched)),
        shared: Arc::new(Shared::new(tcp, tls, confirmed)),
        closing: false,
    };
    std::future::poll_fn(|cx| stream.poll_begin(cx)).await?;
    Ok(stream)
}

/// A TLS connection that [`accept`] took.
///
/// Early data is read like everything else, before it. What is written before the handshake is complete answers it
/// ("half-RTT data", RFC 8446 section 2.3).
#[derive(Debug)]
pub struct ServerStream {
    shared: Arc<Shared>,
    peer: Peer,
    closing: bool,
}

impl ServerStream {
    /// Who is at the other end. It is confirmed when the TLS handshake is complete.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether the client sent early data and it was taken.
    pub fn has_early_data(&self) -> bool {
        self.shared.lock().tls.early_data().is_some()
    }

    /// Whether the handshake goes on: until it is complete, whatever was read may be a replay.
    pub fn is_handshaking(&self) -> bool {
        self.shared.lock().tls.is_handshaking()
    }

    /// The connection below.
    pub fn tcp(&self) -> &TcpStream {
        &self.shared.tcp
    }

    /// Asks the TLS session something: the server's name, the protocol, the client's certificate.
    pub fn with_session<T>(&self, ask: impl FnOnce(&ServerConnection) -> T) -> T {
        ask(&self.shared.lock().tls)
    }

    /// What is to be [completed](complete).
    #[cfg(feature = "axum")]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn poll_begin(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let (tcp, mut session) = (&self.shared.tcp, self.shared.lock());
        while session.tls.is_handshaking() && session.tls.early_data().is_none() {
            let _ = session.poll_send(tcp, cx)?;
            if session.tls.is_handshaking() && ready!(session.poll_receive(tcp, cx))? == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
        if session.tls.is_handshaking() {
            // The task that completes the handshake sends the rest, if there is any.
            let _ = session.poll_send(tcp, cx)?;
            return Poll::Ready(Ok(()));
        }
        session.poll_send(tcp, cx)
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let (tcp, mut session) = (&self.shared.tcp, self.shared.lock());
        loop {
            if let Some(n) = session.read(buf.initialize_unfilled())? {
                buf.advance(n);
                return Poll::Ready(Ok(()));
            }
            session.check()?;
            // Whoever only reads still lets TLS say what it has to.
            let _ = session.poll_send(tcp, cx)?;
            match session.poll_receive(tcp, cx) {
                Poll::Ready(received) => received?,
                Poll::Pending => {
                    session.wait(Side::Read, cx);
                    return Poll::Pending;
                }
            };
        }
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let (tcp, mut session) = (&self.shared.tcp, self.shared.lock());
        loop {
            session.check()?;
            let taken = session.tls.writer().write(buf)?;
            let sent = session.poll_send(tcp, cx)?;
            if taken > 0 || buf.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            if sent.is_pending() || session.tls.is_handshaking() {
                // The socket takes no more, or the session before its handshake is complete.
                session.wait(Side::Write, cx);
                return Poll::Pending;
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.shared.lock().poll_send(&self.shared.tcp, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        let (tcp, mut session) = (&this.shared.tcp, this.shared.lock());
        if session.tls.is_handshaking() && session.check().is_ok() {
            // The answer sets out; the client's tickets come with the end of the handshake, and would come too late after the closing alert.
            let _ = session.poll_send(tcp, cx)?;
            session.wait(Side::Write, cx);
            return Poll::Pending;
        }
        if !std::mem::replace(&mut this.closing, true) {
            session.tls.send_close_notify();
        }
        ready!(session.poll_send(tcp, cx))?;
        Poll::Ready(SockRef::from(tcp).shutdown(Shutdown::Write))
    }
}
