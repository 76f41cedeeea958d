//! A client that puts as much into early data as its ticket allows, whatever it is.

use std::net::SocketAddr;
use std::sync::Arc;

use fastopen::for_tokio::LazyStream;
use fastopen_examples::lab::{Site, connector};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::pattern;

#[derive(Clone)]
pub(crate) struct Client {
    tls: TlsConnector,
    address: SocketAddr,
}

impl Client {
    /// One that has tickets for early data.
    pub(crate) fn with_tickets(site: &Site, port: u16, mut config: ClientConfig) -> Self {
        config.enable_early_data = true;
        let this = Self {
            tls: TlsConnector::from(Arc::new(config)).early_data(true),
            address: site.address(port),
        };
        this.get_tickets(site);
        this
    }

    pub(crate) fn get_tickets(&self, site: &Site) {
        let client = self.clone();
        site.client(async move {
            let mut stream = client.connect().await;
            stream.write_all(&get("/", true)).await.unwrap();
            stream.flush().await.unwrap();
            // The tickets come when the handshake is complete, which may be after the answer.
            stream.read_to_end(&mut Vec::new()).await.unwrap();
        });
    }

    pub(crate) async fn connect(&self) -> TlsStream<LazyStream> {
        let lazy = LazyStream::replay_safe(connector(), self.address);
        self.tls.connect(self.address.ip().into(), lazy).await.unwrap()
    }
}

pub(crate) fn get(path: &str, close: bool) -> Vec<u8> {
    let connection = if close { "close" } else { "keep-alive" };
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n").into_bytes()
}

/// A POST with a body of that length, which the server sends back.
pub(crate) fn post(len: usize, close: bool) -> Vec<u8> {
    let connection = if close { "close" } else { "keep-alive" };
    let head =
        format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\nContent-Length: {len}\r\n\r\n");
    [head.as_bytes(), &pattern(len)].concat()
}

/// Reads that many answers: their status, and their bodies.
pub(crate) async fn answers(stream: &mut TlsStream<LazyStream>, count: usize) -> Vec<(u16, Vec<u8>)> {
    let (mut received, mut answers) = (Vec::new(), Vec::new());
    while answers.len() < count {
        if let Some((answer, rest)) = split_answer(&received) {
            answers.push(answer);
            received = rest;
            continue;
        }
        let n = stream.read_buf(&mut received).await.unwrap_or_else(|error| {
            panic!("{error}, with {} bytes of the answer", received.len());
        });
        assert!(n > 0, "the answer ended after {} bytes", received.len());
    }
    answers
}

type Answer = (u16, Vec<u8>);

fn split_answer(bytes: &[u8]) -> Option<(Answer, Vec<u8>)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().unwrap();
    let len = head.split("content-length: ").nth(1)?.lines().next()?;
    let body = bytes.get(end..end + len.parse::<usize>().unwrap())?;
    Some(((status, body.to_vec()), bytes[end + body.len()..].to_vec()))
}
