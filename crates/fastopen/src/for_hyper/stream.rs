//! The stream under an HTTP client.

use std::fmt;
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::first_flight::{PREFACE, has_whole_request};
use crate::for_tokio::LazyStream;
use crate::for_tokio::wakers::{Side, Wakers};

/// How long HTTP/2's preface waits for a request to travel with it.
const FOR_A_REQUEST: Duration = Duration::from_millis(1);

/// A connection of an [`HttpConnector`](super::HttpConnector), or with TLS below of an `HttpsConnector` (feature `rustls`).
///
/// It knows that in HTTP the client speaks first. hyper reads and flushes before it has a request; here these wait, so that the
/// request still is the first write. HTTP/2's preface waits a moment for the request, so that both are one.
pub struct HttpStream<S = LazyStream> {
    io: S,
    opening: Opening,
    /// Whoever waits for the opening to go on.
    wakers: Wakers,
}

enum Opening {
    /// Nothing has been written.
    Silent,
    /// HTTP/2: what was written waits for a whole request, until then.
    Held(Vec<u8>, Pin<Box<Sleep>>),
    /// HTTP/2: what was held is being sent, from this byte on.
    Sending(Vec<u8>, usize),
    /// Everything goes straight through.
    Over,
    /// Nothing was sent, and nothing will be.
    Closed,
}

impl<S> HttpStream<S> {
    /// One that connects with its first write.
    pub(crate) fn new(io: S) -> Self {
        Self::with_opening(io, Opening::Silent)
    }

    /// One that is connected: it says when the other side closes it, also before the first request.
    #[cfg(feature = "rustls")]
    pub(crate) fn opened(io: S) -> Self {
        Self::with_opening(io, Opening::Over)
    }

    fn with_opening(io: S, opening: Opening) -> Self {
        Self {
            io,
            opening,
            wakers: Wakers::default(),
        }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    fn go_on(&mut self, opening: Opening) {
        self.opening = opening;
        self.wakers.wake_all();
    }

    /// Takes a piece of HTTP/2's beginning; `None` for everything else, which is not to be held.
    fn hold(&mut self, bufs: &[IoSlice<'_>]) -> Option<usize> {
        let mut held = match &mut self.opening {
            Opening::Silent if begins_http2(bufs) => Vec::new(),
            Opening::Held(held, _) => std::mem::take(held),
            _ => return None,
        };
        let before = held.len();
        for buf in bufs {
            let room = LazyStream::FIRST_FLIGHT - held.len();
            held.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        let taken = held.len() - before;
        let wait_on = !has_whole_request(&held) && held.len() < LazyStream::FIRST_FLIGHT;
        let opening = match std::mem::replace(&mut self.opening, Opening::Over) {
            Opening::Held(_, until) if wait_on => Opening::Held(held, until),
            _ if wait_on => Opening::Held(held, Box::pin(sleep(FOR_A_REQUEST))),
            _ => Opening::Sending(held, 0),
        };
        self.go_on(opening);
        Some(taken)
    }
}

impl<S: AsyncWrite + Unpin> HttpStream<S> {
    fn poll_sending(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Opening::Sending(held, sent) = &mut self.opening {
            if *sent == held.len() {
                self.go_on(Opening::Over);
                break;
            }
            match Pin::new(&mut self.io).poll_write(cx, &held[*sent..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => *sent += n,
                Poll::Ready(Err(error)) => {
                    self.go_on(Opening::Over);
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => {
                    self.wakers.register(side, cx.waker());
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The preface is always written on its own, or at the beginning of a piece.
fn begins_http2(bufs: &[IoSlice<'_>]) -> bool {
    let first = bufs.iter().find(|buf| !buf.is_empty());
    first.is_some_and(|buf| buf.starts_with(PREFACE))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HttpStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        match &mut this.opening {
            Opening::Silent => {
                this.wakers.register(Side::Read, cx.waker());
                return Poll::Pending;
            }
            Opening::Held(held, until) => {
                if until.as_mut().poll(cx).is_pending() {
                    this.wakers.register(Side::Read, cx.waker());
                    return Poll::Pending;
                }
                let held = std::mem::take(held);
                this.go_on(Opening::Sending(held, 0));
            }
            Opening::Closed => return Poll::Ready(Ok(())),
            Opening::Sending(..) | Opening::Over => {}
        }
        ready!(this.poll_sending(Side::Read, cx))?;
        Pin::new(&mut this.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HttpStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        if matches!(this.opening, Opening::Closed) {
            return Poll::Ready(Err(Error::from(ErrorKind::BrokenPipe)));
        }
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        if let Some(taken) = this.hold(bufs) {
            // Sets out at once if it is complete. Whoever flushes or reads goes on with it.
            return match this.poll_sending(Side::Write, cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(taken)),
            };
        }
        if matches!(this.opening, Opening::Silent) {
            this.go_on(Opening::Over);
        }
        ready!(this.poll_sending(Side::Write, cx))?;
        Pin::new(&mut this.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sending(Side::Write, cx))?;
        match this.opening {
            Opening::Over => Pin::new(&mut this.io).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sending(Side::Write, cx))?;
        match this.opening {
            Opening::Over => Pin::new(&mut this.io).poll_shutdown(cx),
            _ => {
                this.go_on(Opening::Closed);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl Connection for HttpStream {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.get_ref().report().clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for HttpStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpStream").field(&self.io).finish()
    }
}
