//! Metrics for Prometheus, over HTTP: those of the moment in which they are asked for.

mod answer;
mod connections;
mod metrics;

use std::future::poll_fn;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::sampler::Sampler;
use crate::hint::Hint;
use crate::interrupt::Interrupt;
use crate::stdout;
use connections::Connections;

/// How many connections are kept at most. The oldest is closed for one more, so that idle ones can't block a scrape.
const CONNECTIONS: usize = 256;
/// How long a connection may be idle, and how long a request's head may take.
const IDLE: Duration = Duration::from_secs(30);
/// The longest that a request's head may be.
const HEAD: usize = 16 * 1024;
/// How much more is read of a longer one, so that its sender gets the answer 431 and not a reset, and how long that may take.
const BUFFER: usize = 128 * 1024;
const CLOSING: Duration = Duration::from_secs(1);

/// Serves them until a stop is requested.
pub(super) async fn run(sampler: Sampler, address: SocketAddr) -> anyhow::Result<()> {
    let mut interrupt = Interrupt::new()?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address}"))
        .hint("choose another address of this machine, or another port, as in: tfo watch --prometheus 127.0.0.1:9413")?;
    let mut out = stdout::lock();
    writeln!(out, "metrics at http://{}/metrics", listener.local_addr()?)?;
    out.flush()?;
    let mut connections = Connections::new(limit());
    loop {
        let accepted = tokio::select! {
            () = interrupt.stop_requested() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => connections.add(serve(stream, sampler.clone())),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// How many connections are kept: half of the descriptors are for reading the kernel's values, whoever connects.
fn limit() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors / 2).map_or(CONNECTIONS, |half| half.min(CONNECTIONS))
}

async fn serve(stream: TcpStream, sampler: Sampler) {
    let service = service_fn(|request| {
        let sampler = sampler.clone();
        Box::pin(async move { answer::to(&request, &sampler).await })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_header_size(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    // An error here is the client's: it disconnected or sent something other than HTTP.
    let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let _ = timeout(CLOSING, close(connection.into_parts().io.into_inner())).await;
}

/// Closes this side first, and reads what the client still sends: a reset for that would take the answer from it (RFC 9112, section 9.6).
async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(BUFFER as u64), &mut tokio::io::sink()).await?;
    Ok(())
}
