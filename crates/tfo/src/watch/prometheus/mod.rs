//! Metrics for Prometheus, over HTTP: each time somebody asks, those of that moment.

mod http;
mod metrics;
mod page;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::report::Report;
use super::sampler::Sampler;
use crate::hint::Hint;
use crate::interrupt::Interrupt;
use crate::stdout;
use http::{Request, Response};

/// How many may ask at the same time before others have to wait.
const AT_ONCE: usize = 32;

/// Serves them until it is asked to stop.
pub(super) async fn run(sampler: Sampler, address: SocketAddr) -> anyhow::Result<()> {
    let mut interrupt = Interrupt::new()?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address}"))
        .hint("choose another address of this machine, or another port, as in: tfo watch --prometheus 127.0.0.1:9413")?;
    let mut out = stdout::lock();
    writeln!(out, "metrics at http://{}/metrics", listener.local_addr()?)?;
    out.flush()?;
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let (place, accepted) = tokio::select! {
            () = interrupt.stop_requested() => return Ok(()),
            next = next(&places, &listener) => next,
        };
        let Ok((stream, _)) = accepted else {
            // Descriptors come back as those that ask go away.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let sampler = sampler.clone();
        tokio::spawn(async move {
            // A scraper that goes away, or says what is no HTTP, has no answer to get.
            let _ = serve(stream, &sampler).await;
            drop(place);
        });
    }
}

/// Waits for a free place, and then for somebody to take it.
async fn next(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
    // Nobody closes the semaphore.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await)
}

async fn serve(mut stream: TcpStream, sampler: &Sampler) -> io::Result<()> {
    let Some(request) = http::read(&mut stream).await? else {
        return Ok(());
    };
    let (response, with_body) = match request {
        Request::Metrics { with_body } => (metrics(sampler).await, with_body),
        Request::Elsewhere => (
            Response::text("404 Not Found", "The metrics are at /metrics\n"),
            true,
        ),
        Request::NotReading => (Response::text("405 Method Not Allowed", "GET /metrics\n"), true),
    };
    http::write(&mut stream, &response, with_body).await
}

async fn metrics(sampler: &Sampler) -> Response {
    match sampler.snapshot().await {
        Ok(snapshot) => Response {
            kind: "text/plain; version=0.0.4; charset=utf-8",
            ..Response::text("200 OK", metrics::page(Report::new(None, &snapshot)))
        },
        Err(error) => Response::text("500 Internal Server Error", format!("{error:#}\n")),
    }
}
