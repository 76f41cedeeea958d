//! The client's end of a TLS connection whose first write may be early data.

use std::fmt;
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use rustls::Error as TlsError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::target::{Target, TlsConnection, is_http2};
use crate::for_hyper::is_replay_safe;
use crate::for_tokio::LazyStream;
use crate::for_tokio::wakers::{Side, Wakers};

/// The most early data that a server which does not take it is sure to skip.
///
/// A server that turns early data away has to recognise it by trial decryption, and gives up after as many bytes as it would have taken
/// (RFC 8446, section 4.2.10): 16 KiB for most. rustls 0.23 counts a record again each time it receives something before the next one
/// that it can read, so that 8,176 bytes in one record are too many, and fewer if that next one comes in pieces. So this is a
/// quarter, less what the encryption adds.
fn room(allowed: usize) -> usize {
    const USUAL: usize = 16 * 1024;
    const RECORD: usize = 22;
    (allowed.min(USUAL) / 4).saturating_sub(RECORD)
}

/// The answer of a server that wants the request once more, and not early (RFC 8470, section 5.2).
const TOO_EARLY: &[u8] = b"HTTP/1.1 425";

type Redialing = Pin<Box<dyn Future<Output = Result<TlsConnection>> + Send>>;

/// A TLS connection below an [`HttpsStream`](super::HttpsStream).
///
/// What is written first goes as early data if there can be any, and if it is known to be replay-safe; what follows it waits for the handshake.
/// Where the connection fails for the early data, there is another one without it, once.
pub struct EarlyDataStream {
    tls: TlsStream<LazyStream>,
    target: Target,
    /// Whether all that is written is replay-safe, by the caller's word.
    replay_safe: bool,
    http2: bool,
    wakers: Arc<Wakers>,
    phase: Phase,
}

enum Phase {
    /// The handshake has not begun, and nothing has been written.
    Silent,
    /// The handshake goes on; this was sent as early data.
    Handshake(Vec<u8>),
    /// The server has taken this as early data, but not answered yet.
    Taken(Vec<u8>),
    /// On the way to a second connection, which this is to be sent on.
    Redialing(Redialing, Vec<u8>),
    /// The second connection is there; this is being sent, from that byte on.
    Resending(Vec<u8>, usize),
    /// Everything goes straight through.
    Open,
}

impl EarlyDataStream {
    /// One whose handshake is complete, or begins with the first write.
    pub(super) fn new(connection: TlsConnection, target: Target, replay_safe: bool) -> Self {
        let TlsConnection { tls, http2 } = connection;
        let phase = match tls.get_ref().1.is_handshaking() {
            true => Phase::Silent,
            false => Phase::Open,
        };
        Self {
            tls,
            target,
            replay_safe,
            http2,
            wakers: Arc::default(),
            phase,
        }
    }

    /// The TLS stream.
    pub fn get_ref(&self) -> &TlsStream<LazyStream> {
        &self.tls
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// Whether a first write of these pieces may be early data.
    fn may_be_early(&mut self, pieces: &[IoSlice<'_>], len: usize) -> bool {
        let allowed = self.tls.get_mut().1.early_data().map(|early| early.bytes_left());
        if allowed.is_none_or(|allowed| len > room(allowed)) {
            return false;
        }
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        self.replay_safe || is_replay_safe(&bytes)
    }

    /// Takes the first write as early data, or begins the handshake without.
    fn poll_first_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        if !self.may_be_early(pieces, len) {
            self.phase = Phase::Handshake(Vec::new());
            return Poll::Ready(Ok(0));
        }
        // The session takes it without sending anything yet.
        let taken = ready!(Pin::new(&mut self.tls).poll_write_vectored(cx, pieces))?;
        let early = pieces.iter().flat_map(|piece| piece.iter().copied()).take(taken);
        self.phase = Phase::Handshake(early.collect());
        Poll::Ready(Ok(taken))
    }

    /// Goes on until the handshake is complete, on this connection or the second.
    fn poll_open(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<Result<()>> {
        if matches!(self.phase, Phase::Open | Phase::Taken(_)) {
            return Poll::Ready(Ok(()));
        }
        // A reader and a writer may wait, and either may be gone by the time it goes on.
        self.wakers.register(side, cx.waker());
        let both = Waker::from(Arc::clone(&self.wakers));
        let result = ready!(self.poll_opening(&mut Context::from_waker(&both)));
        self.wakers.wake_all();
        if result.is_err() {
            self.phase = Phase::Open;
        }
        Poll::Ready(result)
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match &mut self.phase {
                Phase::Silent => self.phase = Phase::Handshake(Vec::new()),
                Phase::Handshake(_) => match ready!(self.poll_handshake(cx)) {
                    Ok(()) if is_http2(self.tls.get_ref().1) == self.http2 => {
                        self.target.negotiated(self.http2);
                        // Early data that was turned away is sent again by this.
                        ready!(Pin::new(&mut self.tls).poll_flush(cx))?;
                        self.finish_handshake();
                    }
                    // The server has changed its mind, and what was written means nothing to it.
                    Ok(()) => self.redial(),
                    Err(error) if self.may_redial(&error) => self.redial(),
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Phase::Redialing(redialing, bytes) => {
                    self.tls = ready!(redialing.as_mut().poll(cx))?.tls;
                    let bytes = std::mem::take(bytes);
                    self.phase = Phase::Resending(bytes, 0);
                }
                Phase::Resending(bytes, sent) if *sent < bytes.len() => {
                    *sent += ready!(Pin::new(&mut self.tls).poll_write(cx, &bytes[*sent..]))?;
                }
                Phase::Resending(..) => {
                    ready!(Pin::new(&mut self.tls).poll_flush(cx))?;
                    self.phase = Phase::Open;
                }
                Phase::Taken(_) | Phase::Open => return Poll::Ready(Ok(())),
            }
        }
    }

    /// The handshake alone, so that early data which was turned away is not sent again to a server that speaks another protocol.
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let (io, session) = self.tls.get_mut();
        let mut io = Now(io, cx);
        while session.is_handshaking() {
            while session.wants_write() {
                match session.write_tls(&mut io) {
                    Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            match session.read_tls(&mut io) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
            if let Err(error) = session.process_new_packets() {
                // The alert tells the server why; an error of sending it changes nothing.
                let _ = session.write_tls(&mut io);
                return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, error)));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn finish_handshake(&mut self) {
        let early = match &mut self.phase {
            Phase::Handshake(early) => std::mem::take(early),
            _ => Vec::new(),
        };
        let taken = !early.is_empty() && self.tls.get_ref().1.is_early_data_accepted();
        self.phase = match taken && !self.http2 {
            true => Phase::Taken(early),
            false => Phase::Open,
        };
    }

    /// Whether another connection without early data may do better: where this one has reached a server that is who it says.
    fn may_redial(&self, error: &Error) -> bool {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        let certificate = matches!(tls, Some(TlsError::InvalidCertificate(_)));
        self.tls.get_ref().0.get_ref().is_some() && !certificate
    }

    /// Begins a second connection, for what was sent on the first.
    fn redial(&mut self) {
        let sent = match &mut self.phase {
            Phase::Handshake(sent) | Phase::Taken(sent) => std::mem::take(sent),
            _ => Vec::new(),
        };
        self.target.refused_early_data();
        let redialing = Box::pin(self.target.clone().connect_late(self.http2));
        self.phase = Phase::Redialing(redialing, sent);
    }
}

impl AsyncRead for EarlyDataStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        loop {
            ready!(this.poll_open(cx, Side::Read))?;
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.tls).poll_read(cx, buf))?;
            if !matches!(this.phase, Phase::Taken(_)) {
                return Poll::Ready(Ok(()));
            }
            if !buf.filled()[before..].starts_with(TOO_EARLY) {
                this.phase = Phase::Open;
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
            this.redial();
        }
    }
}

impl AsyncWrite for EarlyDataStream {
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
        if matches!(this.phase, Phase::Silent) {
            let taken = ready!(this.poll_first_write(cx, bufs))?;
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
        }
        ready!(this.poll_open(cx, Side::Write))?;
        // More has been asked for than can be sent again.
        this.phase = Phase::Open;
        Pin::new(&mut this.tls).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_open(cx, Side::Write))?;
        Pin::new(&mut this.tls).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_open(cx, Side::Write))?;
        Pin::new(&mut this.tls).poll_shutdown(cx)
    }
}

/// A stream that is asked now, as rustls wants it: `Pending` is `WouldBlock`.
struct Now<'a, 'b>(&'a mut LazyStream, &'a mut Context<'b>);

impl Read for Now<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut buf = ReadBuf::new(buf);
        now(Pin::new(&mut *self.0).poll_read(self.1, &mut buf)).map(|()| buf.filled().len())
    }
}

impl Write for Now<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        now(Pin::new(&mut *self.0).poll_write(self.1, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
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

impl fmt::Debug for EarlyDataStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EarlyDataStream").field(&self.tls).finish()
    }
}
