//! The server's end of a TLS connection, which can answer early data before the handshake is complete.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::for_tokio::Peer;

/// Lets a server take so many bytes of early data per connection, and answer them at once (TLS 1.3).
///
/// rustls keeps sessions in the server's memory for it, so that each ticket is good for early data once; the configuration's
/// `session_storage` says how many. Early data is [`ReplaySafe`](crate::ReplaySafe) or dangerous:
/// `ConfirmLayer` (with the feature `tower`) keeps requests with consequences waiting.
pub fn allow_early_data(config: &mut ServerConfig, bytes: u32) {
    config.max_early_data_size = bytes;
    config.send_half_rtt_data = true;
}

/// Takes an accepted connection through its TLS handshake, or as far as its early data.
///
/// # Errors
/// The handshake failed, or the connection broke. It waits as long as the client does: set a limit with `tokio::time::timeout`.
pub async fn accept(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    address: SocketAddr,
) -> Result<ServerStream> {
    let tls = Box::new(ServerConnection::new(config).map_err(Error::other)?);
    let (finished, watched) = watch::channel(false);
    let peer = Peer::new(&stream, address, Some(watched));
    let mut stream = ServerStream {
        tcp: stream,
        tls,
        peer,
        finished,
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
    tcp: TcpStream,
    /// In a box, for it is large and the stream is moved around.
    tls: Box<ServerConnection>,
    peer: Peer,
    finished: watch::Sender<bool>,
    closing: bool,
}

impl ServerStream {
    /// Who is at the other end. It is confirmed when the TLS handshake is complete.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether the client sent early data and it was taken.
    pub fn has_early_data(&mut self) -> bool {
        self.tls.early_data().is_some()
    }

    /// The connection below, and the TLS session.
    pub fn get_ref(&self) -> (&TcpStream, &ServerConnection) {
        (&self.tcp, &self.tls)
    }

    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.tls.is_handshaking() && self.tls.early_data().is_none() {
            let _ = self.poll_send(cx)?;
            if !self.tls.is_handshaking() {
                break;
            }
            if ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
        // The answer to the hello sets out now, unless what the application says goes along.
        if self.tls.early_data().is_none() {
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what TLS has to say; ready when that is all.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.tls.wants_write() {
            let mut io = Now(&mut self.tcp, cx);
            match self.tls.write_tls(&mut io) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Receives something; 0 at the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let received = match self.tls.read_tls(&mut Now(&mut self.tcp, cx)) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        };
        if let Err(error) = self.tls.process_new_packets() {
            // The alert tells the client why; if it can't be sent, so be it.
            let _ = self.poll_send(cx);
            return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, error)));
        }
        if !self.tls.is_handshaking() {
            self.finished
                .send_if_modified(|finished| !std::mem::replace(finished, true));
        }
        Poll::Ready(Ok(received))
    }

    /// Reads what has been received and decrypted; `None` when there is nothing yet.
    fn read_received(&mut self, buf: &mut [u8]) -> Result<Option<usize>> {
        if let Some(mut early) = self.tls.early_data() {
            let n = early.read(buf)?;
            if n > 0 {
                return Ok(Some(n));
            }
        }
        match self.tls.reader().read(buf) {
            Ok(n) => Ok(Some(n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if let Some(n) = this.read_received(buf.initialize_unfilled())? {
                buf.advance(n);
                return Poll::Ready(Ok(()));
            }
            // Whoever only reads still lets the handshake go on.
            let _ = this.poll_send(cx)?;
            ready!(this.poll_receive(cx))?;
        }
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        loop {
            let taken = this.tls.writer().write(buf)?;
            let sent = this.poll_send(cx)?;
            if taken > 0 || buf.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            ready!(sent);
            if this.tls.is_handshaking() {
                // It may say no more until the client has finished.
                if ready!(this.poll_receive(cx))? == 0 {
                    return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.closing, true) {
            this.tls.send_close_notify();
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

/// A stream that is asked now, as rustls wants it: `Pending` is `WouldBlock`.
struct Now<'a, 'b>(&'a mut TcpStream, &'a mut Context<'b>);

impl Read for Now<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut *self.0).poll_read(self.1, &mut buf) {
            Poll::Ready(result) => result.map(|()| buf.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Now<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        now(Pin::new(&mut *self.0).poll_write(self.1, buf))
    }

    fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> Result<usize> {
        now(Pin::new(&mut *self.0).poll_write_vectored(self.1, bufs))
    }

    fn flush(&mut self) -> Result<()> {
        now(Pin::new(&mut *self.0).poll_flush(self.1))
    }
}

fn now<T>(poll: Poll<Result<T>>) -> Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
