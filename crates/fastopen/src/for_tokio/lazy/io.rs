//! Reading and writing.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::first_flight::{begins_with, gather};
use super::{LazyStream, State};
use crate::for_tokio::wakers::Side;

impl LazyStream {
    /// Sends the first bytes, or says that there are none of these to be sent any more: then the stream stands and takes them.
    fn poll_first_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<Option<usize>>> {
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Poll::Ready(Ok(Some(0)));
        }
        let given_up =
            matches!(&self.state, State::Connecting { first_bytes, .. } if !begins_with(pieces, first_bytes));
        if given_up || matches!(self.state, State::Idle) {
            let bytes = gather(pieces, Self::FIRST_FLIGHT);
            self.start(if (self.judge)(&bytes) {
                bytes.into()
            } else {
                Arc::default()
            });
        }
        ready!(self.poll_connected(cx, Side::Write))?;
        let State::Connected {
            unreported,
            cut_short,
            ..
        } = &mut self.state
        else {
            return Poll::Pending;
        };
        if unreported.is_empty() {
            return Poll::Ready(Ok(None));
        }
        if !begins_with(pieces, unreported) {
            return Poll::Ready(Err(Error::new(
                ErrorKind::InvalidInput,
                "the first write was given up, but is sent already: other bytes can't take its place",
            )));
        }
        let written = std::mem::take(unreported).len();
        cut_short.wrote(written);
        Poll::Ready(Ok(Some(written)))
    }

    /// Writes to the connection that stands.
    fn poll_later_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        ready!(self.poll_connected(cx, Side::Write))?;
        let State::Connected {
            stream, cut_short, ..
        } = &mut self.state
        else {
            return Poll::Pending;
        };
        let written = match ready!(Pin::new(&mut *stream).poll_write_vectored(cx, bufs)) {
            Ok(written) => {
                cut_short.wrote(written);
                Ok(written)
            }
            Err(error) => {
                self.silence.failed(&error);
                cut_short.write_failed(error, bufs.iter().map(|buf| buf.len()).sum())
            }
        };
        Poll::Ready(written)
    }
}

impl AsyncRead for LazyStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if matches!(this.state, State::Idle) {
            this.start_server_first();
        }
        ready!(this.poll_connected(cx, Side::Read))?;
        let State::Connected {
            stream, cut_short, ..
        } = &mut this.state
        else {
            return Poll::Pending;
        };
        let before = buf.filled().len();
        let has_room = buf.remaining() > 0;
        match Pin::new(stream).poll_read(cx, buf) {
            Poll::Pending => {
                this.silence.waiting();
                Poll::Pending
            }
            Poll::Ready(Ok(())) if has_room => {
                this.silence.received();
                Poll::Ready(cut_short.read(buf.filled().len() - before))
            }
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => {
                this.silence.failed(&error);
                Poll::Ready(Err(error))
            }
        }
    }
}

impl AsyncWrite for LazyStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let stands = matches!(&this.state, State::Connected { unreported, .. } if unreported.is_empty());
        if !stands {
            if let Some(written) = ready!(this.poll_first_write(cx, bufs))? {
                return Poll::Ready(Ok(written));
            }
        }
        this.poll_later_write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let stream = ready!(self.get_mut().poll_connected(cx, Side::Write))?;
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let stream = ready!(self.get_mut().poll_connected(cx, Side::Write))?;
        Pin::new(stream).poll_shutdown(cx)
    }
}
