//! An HTTPS server that takes down what ran, and whether the client had been confirmed when it did.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use fastopen::for_rustls::TlsListener;
use fastopen::for_tokio::Peer;
use fastopen_examples::lab::Site;
use rustls::ServerConfig;
use tokio::time::timeout;

/// A request that reached the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) method: String,
    pub(crate) confirmed: bool,
}

/// What ran on a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Ran>>>);

impl Log {
    pub(crate) fn take(&self) -> Vec<Ran> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// An application that takes everything: `/confirmed` waits for the client's proof, `/answer/N` answers with N bytes, and
    /// everything else with the request's body.
    pub(crate) fn app(&self) -> Router {
        let log = self.clone();
        Router::new().fallback(
            async move |ConnectInfo(peer): ConnectInfo<Peer>, request: Request| {
                log.handle(peer, request).await
            },
        )
    }

    /// That application, and what reaches it.
    pub(crate) fn watch(&self, app: Router) -> Router {
        let log = self.clone();
        let watched = move |ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next| {
            let log = log.clone();
            async move {
                log.ran(&peer, request.method().to_string()).await;
                next.run(request).await
            }
        };
        app.layer(from_fn(watched))
    }

    async fn ran(&self, peer: &Peer, method: String) {
        let confirmed = timeout(Duration::ZERO, peer.confirmed()).await.is_ok();
        self.0.lock().unwrap().push(Ran { method, confirmed });
    }

    async fn handle(self, peer: Peer, request: Request) -> Response {
        self.ran(&peer, request.method().to_string()).await;
        let path = request.uri().path().to_owned();
        if path == "/confirmed" {
            peer.confirmed().await.unwrap();
            return "confirmed".into_response();
        }
        if let Some(len) = path.strip_prefix("/answer/") {
            return Body::from(pattern(len.parse().unwrap())).into_response();
        }
        let body = to_bytes(request.into_body(), usize::MAX).await;
        body.unwrap_or_default().into_response()
    }
}

/// That many bytes, no two stretches of which are alike.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n / 7 + n / 251) as u8).collect()
}

/// Serves that with TLS.
pub(crate) fn serve(site: &Site, port: u16, config: ServerConfig, app: Router) {
    let address = site.address(port);
    let listener = site.server(async move { fastopen::for_tokio::listen(address).await.unwrap() });
    site.spawn(async move {
        let app = app.into_make_service_with_connect_info::<Peer>();
        let _ = axum::serve(TlsListener::new(listener, config.into()), app).await;
    });
}
