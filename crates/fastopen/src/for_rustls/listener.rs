//! HTTPS for `axum::serve`.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::counters::HandshakeCounters;
use super::handshake::{complete, timed_out};
use super::stream::{HANDSHAKE, ServerStream, begin};
use crate::for_tokio::Peer;

/// A listener for `axum::serve` whose connections speak TLS. Handshakes go on side by side, and one that fails is dropped.
///
/// Clients that begin a handshake and let it rest cost memory, some 12 KB each, until they have taken
/// [too long](Self::with_handshake_timeout); when there are [too many](Self::with_max_handshakes) each new one displaces the oldest, so that others
/// still get through. [`counters`](Self::counters) show it.
///
/// `TCP_NODELAY` is set, for TLS writes in small pieces that must not wait for each other's acknowledgement.
///
/// ```no_run
/// # async fn f(app: axum::Router, mut config: rustls::ServerConfig) -> std::io::Result<()> {
/// use fastopen::for_rustls::{TlsListener, allow_early_data};
/// use fastopen::for_tokio::Peer;
/// use fastopen::for_tower::ConfirmLayer;
///
/// allow_early_data(&mut config, 16 * 1024);
/// let listener = TlsListener::new(fastopen::for_tokio::listen("[::]:443").await?, config.into());
/// let app = app.layer(ConfirmLayer::new());
/// axum::serve(listener, app.into_make_service_with_connect_info::<Peer>()).await
/// # }
/// ```
#[derive(Debug)]
pub struct TlsListener {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    timeout: Duration,
    most: usize,
    counters: HandshakeCounters,
    handshakes: JoinSet<Option<ServerStream>>,
    /// The same in the order in which they began; some have ended.
    order: VecDeque<AbortHandle>,
}

impl TlsListener {
    /// How long a client may take for its handshake, unless [set](Self::with_handshake_timeout).
    pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = HANDSHAKE;

    /// How many handshakes go on at once, unless [set](Self::with_max_handshakes): some 50 MB of them.
    pub const DEFAULT_MAX_HANDSHAKES: usize = 4096;

    /// Speaks TLS on the connections of that listener.
    pub fn new(listener: TcpListener, config: Arc<ServerConfig>) -> Self {
        Self {
            listener,
            config,
            timeout: Self::DEFAULT_HANDSHAKE_TIMEOUT,
            most: Self::DEFAULT_MAX_HANDSHAKES,
            counters: HandshakeCounters::default(),
            handshakes: JoinSet::new(),
            order: VecDeque::new(),
        }
    }

    /// Sets how long a client may take for its handshake, and for what is left of it when its early data has been taken.
    #[must_use]
    pub fn with_handshake_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets how many handshakes may be on their way to a connection at once; at least one. The oldest gives way to a new one.
    #[must_use]
    pub fn with_max_handshakes(self, most: usize) -> Self {
        Self {
            most: most.max(1),
            ..self
        }
    }

    /// What becomes of the handshakes; to be kept when the listener is given away.
    pub fn counters(&self) -> HandshakeCounters {
        self.counters.clone()
    }

    fn begin(&mut self, stream: TcpStream, address: SocketAddr) {
        while self.handshakes.len() >= self.most {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if !oldest.is_finished() {
                oldest.abort();
                break;
            }
        }
        if self.order.len() > 2 * self.handshakes.len() + 64 {
            self.order.retain(|handshake| !handshake.is_finished());
        }
        let (config, limit) = (Arc::clone(&self.config), self.timeout);
        let under_way = self.counters.begin(address);
        let handshake = async move {
            let begun = timeout(limit, begin(config, stream, address))
                .await
                .unwrap_or_else(|_| Err(timed_out(limit)));
            match begun {
                Ok(stream) if stream.is_handshaking() => {
                    let shared = Arc::clone(stream.shared());
                    tokio::spawn(async move { under_way.end(&complete(shared, limit).await) });
                    Some(stream)
                }
                Ok(stream) => {
                    under_way.end(&Ok(()));
                    Some(stream)
                }
                Err(error) => {
                    under_way.end(&Err(error));
                    None
                }
            }
        };
        self.order.push_back(self.handshakes.spawn(handshake));
    }
}

impl Listener for TlsListener {
    type Io = ServerStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let event = std::future::poll_fn(|cx| {
                if let Poll::Ready(Some(done)) = self.handshakes.poll_join_next(cx) {
                    return Poll::Ready(Event::Done(done.ok().flatten()));
                }
                self.listener.poll_accept(cx).map(Event::Accepted)
            })
            .await;
            match event {
                Event::Done(Some(stream)) => {
                    let address = stream.peer().address();
                    return (stream, address);
                }
                Event::Done(None) => {}
                Event::Accepted(Ok((stream, address))) => self.begin(stream, address),
                // No descriptors are left, most likely: others have to end first.
                Event::Accepted(Err(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

enum Event {
    Done(Option<ServerStream>),
    Accepted(io::Result<(TcpStream, SocketAddr)>),
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.io().peer().clone()
    }
}
