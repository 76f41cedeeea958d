//! The layer that lets safe methods run at once, and makes the others wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Extensions, Method, Request, Response, StatusCode, header};
use tokio::time::timeout;
use tower_layer::Layer;
use tower_service::Service;

use crate::for_tokio::Peer;

/// Lets requests with a safe method (GET, HEAD, OPTIONS, TRACE: RFC 9110 section 9.2.1) run at once, and makes all others wait for the client's
/// proof of its address. A request for another protocol (`Upgrade`), such as WebSocket, waits whatever its method.
///
/// On an ordinary connection, and from the client's first ACK on, nothing waits. A request whose client does not prove its address in
/// [time](Self::with_timeout) is answered with 425 (Too Early, RFC 8470) and never reaches the service, so that a replayed POST does
/// nothing.
///
/// A proxy in front that passes on early data says so with `Early-Data` (RFC 8470, section 5.1). Only its own client could prove anything,
/// so such a request runs if it has a safe method, and is answered with 425 if not.
///
/// A request that may not run at once and has no [`Peer`] among its extensions is answered with 500: the server is not set up to
/// provide it, and nothing would protect the service.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use fastopen::for_tower::ConfirmLayer;
/// use http::{Request, Response, StatusCode};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// # #[derive(Clone)] struct Orders;
/// # impl Service<Request<String>> for Orders {
/// #     type Response = Response<String>;
/// #     type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<Response<String>, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> { Ok(()).into() }
/// #     fn call(&mut self, _: Request<String>) -> Self::Future { std::future::ready(Ok(Response::default())) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = fastopen::for_tokio::listen("127.0.0.1:0").await?;
/// # let client = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (stream, address) = listener.accept().await?;
/// let peer = fastopen::for_tokio::Peer::of(&stream, address);
///
/// let mut service = ConfirmLayer::new().with_timeout(Duration::from_secs(3)).layer(Orders);
/// let mut order = Request::post("/orders").body(String::new())?;
/// order.extensions_mut().insert(peer);
/// assert_eq!(service.call(order).await?.status(), StatusCode::OK);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConfirmLayer {
    timeout: Duration,
}

impl ConfirmLayer {
    /// How long a request waits, unless [set](Self::with_timeout). A client whose ACK was lost has time to send another: the kernel repeats
    /// its SYN-ACK after 1 s and after 3 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// Requests wait for [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    pub fn new() -> Self {
        Self {
            timeout: Self::DEFAULT_TIMEOUT,
        }
    }

    /// Sets how long a request waits for the client's proof.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout }
    }
}

impl Default for ConfirmLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ConfirmLayer {
    type Service = Confirm<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Confirm {
            inner,
            timeout: self.timeout,
        }
    }
}

/// The service that [`ConfirmLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Confirm<S> {
    inner: S,
    timeout: Duration,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for Confirm<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
    RequestBody: Send + 'static,
    ResponseBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        if may_run_unconfirmed(&request) {
            return Box::pin(self.inner.call(request));
        }
        if request.headers().contains_key(EARLY_DATA) {
            return Box::pin(async { Ok(answer(StatusCode::TOO_EARLY)) });
        }
        // The one that has said that it is ready goes along; the clone has not.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let wait = self.timeout;
        Box::pin(async move {
            let Some(peer) = peer(request.extensions()).cloned() else {
                return Ok(answer(StatusCode::INTERNAL_SERVER_ERROR));
            };
            match timeout(wait, peer.confirmed()).await {
                Ok(Ok(())) => inner.call(request).await,
                Ok(Err(_)) | Err(_) => Ok(answer(StatusCode::TOO_EARLY)),
            }
        })
    }
}

/// What a proxy adds to a request that it received as early data. All values mean the same (RFC 8470, section 5.1).
const EARLY_DATA: &str = "early-data";

/// The methods are listed, for what `http` counts as safe may grow.
fn may_run_unconfirmed<B>(request: &Request<B>) -> bool {
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(request.method());
    safe && !request.headers().contains_key(header::UPGRADE)
}

fn peer(extensions: &Extensions) -> Option<&Peer> {
    let peer = extensions.get::<Peer>();
    #[cfg(feature = "axum")]
    let peer = peer.or_else(|| {
        extensions
            .get::<axum::extract::ConnectInfo<Peer>>()
            .map(|info| &info.0)
    });
    peer
}

fn answer<B: Default>(status: StatusCode) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_methods_run_unconfirmed() {
        for (method, runs) in [
            ("GET", true),
            ("HEAD", true),
            ("OPTIONS", true),
            ("TRACE", true),
            // Safe by its definition, but with a body that was not there when `is_safe` was written.
            ("QUERY", false),
            ("POST", false),
            ("PUT", false),
            ("PATCH", false),
            ("DELETE", false),
            ("CONNECT", false),
            ("get", false),
            ("PURGE", false),
        ] {
            let request = Request::builder().method(method).body(()).unwrap();
            assert_eq!(may_run_unconfirmed(&request), runs, "{method}");
        }
        let websocket = Request::get("/").header("Upgrade", "websocket").body(()).unwrap();
        assert!(!may_run_unconfirmed(&websocket));
    }
}
