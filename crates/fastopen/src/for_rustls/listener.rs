//! HTTPS for `axum::serve`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::server::{ServerStream, accept};
use crate::for_tokio::Peer;

/// How long a client may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A listener for `axum::serve` whose connections speak TLS. Handshakes go on side by side, and one that fails is dropped.
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
    handshakes: JoinSet<io::Result<ServerStream>>,
}

impl TlsListener {
    /// Speaks TLS on the connections of that listener.
    pub fn new(listener: TcpListener, config: Arc<ServerConfig>) -> Self {
        Self {
            listener,
            config,
            handshakes: JoinSet::new(),
        }
    }

    fn begin(&mut self, stream: TcpStream, address: SocketAddr) {
        // What counts is that there is a connection; this only makes it quicker.
        let _ = stream.set_nodelay(true);
        let config = Arc::clone(&self.config);
        self.handshakes
            .spawn(async move { timeout(HANDSHAKE, accept(config, stream, address)).await? });
    }
}

impl Listener for TlsListener {
    type Io = ServerStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let event = std::future::poll_fn(|cx| {
                if let Poll::Ready(Some(done)) = self.handshakes.poll_join_next(cx) {
                    return Poll::Ready(Event::Done(done.ok().and_then(Result::ok)));
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
