//! What became of a listener's handshakes, for those who watch it.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the handshakes of a [`TlsListener`](super::TlsListener) so far. A clone counts the same ones.
#[derive(Clone, Debug, Default)]
pub struct HandshakeCounters(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    timed_out: AtomicU64,
    displaced: AtomicU64,
}

impl HandshakeCounters {
    /// Those that go on now, also behind early data that is being answered.
    pub fn under_way(&self) -> u64 {
        let ended = self.completed() + self.failed() + self.timed_out() + self.displaced();
        self.0.begun.load(Ordering::Relaxed).saturating_sub(ended)
    }

    /// Those that were completed.
    pub fn completed(&self) -> u64 {
        self.0.completed.load(Ordering::Relaxed)
    }

    /// Those that failed: the client spoke something else, did not like the certificate, or went away.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Those that took [too long](super::TlsListener::with_handshake_timeout).
    pub fn timed_out(&self) -> u64 {
        self.0.timed_out.load(Ordering::Relaxed)
    }

    /// Those that were dropped for newer ones, because there were [too many](super::TlsListener::with_max_handshakes).
    pub fn displaced(&self) -> u64 {
        self.0.displaced.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, client: SocketAddr) -> UnderWay {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay {
            counts: Some(Arc::clone(&self.0)),
            client,
        }
    }
}

/// A handshake that goes on. One that is dropped before its end was displaced.
pub(super) struct UnderWay {
    counts: Option<Arc<Counts>>,
    client: SocketAddr,
}

impl UnderWay {
    pub(super) fn end(mut self, result: &Result<()>) {
        let Some(counts) = self.counts.take() else {
            return;
        };
        match result {
            Ok(()) => &counts.completed,
            Err(error) if error.kind() == ErrorKind::TimedOut => &counts.timed_out,
            Err(_) => &counts.failed,
        }
        .fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result {
            self.trace(error);
        }
    }

    #[cfg(feature = "tracing")]
    fn trace(&self, error: &Error) {
        tracing::debug!(target: "fastopen::tls", client = %self.client, %error, "a TLS handshake ended without a connection");
    }

    #[cfg(not(feature = "tracing"))]
    fn trace(&self, error: &Error) {
        let _ = (self.client, error);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(counts) = self.counts.take() {
            counts.displaced.fetch_add(1, Ordering::Relaxed);
            self.trace(&Error::other(
                "too many handshakes are under way: displaced by a newer one",
            ));
        }
    }
}
