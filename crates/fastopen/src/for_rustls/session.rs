//! A server's TLS session and the socket below it, for the application and for the task that completes the handshake.

use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::for_tokio::wakers::{Side, Wakers};

/// A socket and the session above it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) tcp: TcpStream,
    session: Mutex<Session>,
}

impl Shared {
    pub(super) fn new(tcp: TcpStream, tls: ServerConnection, confirmed: watch::Sender<bool>) -> Self {
        let session = Session {
            tls: Box::new(tls),
            confirmed: Some(confirmed),
            failed: None,
            wakers: Wakers::default(),
        };
        Self {
            tcp,
            session: Mutex::new(session),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A TLS session, and who waits for its handshake.
#[derive(Debug)]
pub(super) struct Session {
    /// In a box, for it is large.
    pub(super) tls: Box<ServerConnection>,
    /// Told when the handshake is complete; gone when it never will be.
    confirmed: Option<watch::Sender<bool>>,
    /// Why the handshake failed.
    failed: Option<(ErrorKind, String)>,
    /// Whoever can't go on before the handshake does.
    wakers: Wakers,
}

impl Session {
    /// Why the handshake failed, if it has.
    pub(super) fn check(&self) -> Result<()> {
        match &self.failed {
            Some((kind, why)) => Err(Error::new(*kind, why.clone())),
            None => Ok(()),
        }
    }

    /// Has it woken when the handshake has gone on.
    pub(super) fn wait(&self, side: Side, cx: &Context<'_>) {
        self.wakers.register(side, cx.waker());
    }

    pub(super) fn wake_all(&self) {
        self.wakers.wake_all();
    }

    /// The handshake will not be completed: whoever waits for it is told.
    pub(super) fn fail(&mut self, error: &Error) {
        self.failed
            .get_or_insert_with(|| (error.kind(), error.to_string()));
        self.confirmed = None;
        self.wake_all();
    }

    /// Sends what TLS has to say, until that is all or the socket takes no more.
    pub(super) fn send(&mut self, tcp: &TcpStream) -> Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut Now(tcp))? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Receives something; 0 at the end.
    pub(super) fn receive(&mut self, tcp: &TcpStream) -> Result<usize> {
        let received = self.tls.read_tls(&mut Now(tcp))?;
        if let Err(error) = self.tls.process_new_packets() {
            // The alert tells the client why; an error of sending it changes nothing.
            let _ = self.send(tcp);
            return Err(Error::new(ErrorKind::InvalidData, error));
        }
        if let Some(confirmed) = self.confirmed.as_ref().filter(|_| !self.tls.is_handshaking()) {
            confirmed.send_if_modified(|confirmed| !std::mem::replace(confirmed, true));
        }
        Ok(received)
    }

    /// As [`send`](Self::send), and waits until the socket takes more.
    pub(super) fn poll_send(&mut self, tcp: &TcpStream, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match self.send(tcp) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(tcp.poll_write_ready(cx))?,
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// As [`receive`](Self::receive), and waits until there is something.
    pub(super) fn poll_receive(&mut self, tcp: &TcpStream, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        loop {
            match self.receive(tcp) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(tcp.poll_read_ready(cx))?,
                received => return Poll::Ready(received),
            }
        }
    }

    /// Reads what has been received and decrypted; `None` when there is nothing yet.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>> {
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

/// A socket as rustls wants it: what would have to wait is an error. Any number of tasks may wait for the socket, each in its way.
struct Now<'a>(&'a TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.0.try_read(buf)
    }
}

impl Write for Now<'_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        self.0.try_write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        self.0.try_write_vectored(bufs)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
