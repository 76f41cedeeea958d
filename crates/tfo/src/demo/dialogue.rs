//! One request and its answer, or one greeting, with both ends watched.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastopen::{Connector, Outcome, ReplaySafe};
use fastopen_lab::Host;

use super::server::{Manner, REQUEST_END, Server, Visit};

/// An answer that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request if there was one, its answer or the greeting, and what both ends know of them.
pub(super) struct Dialogue {
    /// When the client began to connect.
    pub(super) began: Instant,
    /// When it had the connection.
    pub(super) connected: Instant,
    /// When it had the first byte of the answer, or gave up.
    pub(super) answered: Instant,
    /// Whether it gave up, because nothing came.
    pub(super) gave_up: bool,
    pub(super) outcome: Outcome,
    pub(super) request: String,
    /// Whether the server's application read the request exactly once, and the client the answer if one came.
    pub(super) delivered_once: bool,
    pub(super) visit: Visit,
}

impl Dialogue {
    /// Has the client connect, ask for `name` unless the server greets it, and read the answer. Waits until the server has seen the end
    /// of it.
    pub(super) fn hold(
        client: &Host,
        connector: &Connector,
        server: &mut Server,
        name: &str,
    ) -> anyhow::Result<Self> {
        let dialogue = Self::attempt(client, connector, server, name, PATIENCE)?;
        if dialogue.gave_up {
            bail!("{} did not answer within {PATIENCE:?}", server.address());
        }
        Ok(dialogue)
    }

    /// The same over a path that may die: gives up after `patience`, and goes on as if the answer had come.
    pub(super) fn attempt(
        client: &Host,
        connector: &Connector,
        server: &mut Server,
        name: &str,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let manner = server.manner();
        let request = match manner {
            Manner::Answers => format!("GET /{name} HTTP/1.0\r\nHost: demo{REQUEST_END}"),
            Manner::Greets => String::new(),
        };
        let address = server.address();
        let asked = client.run(|| {
            let began = Instant::now();
            let connected = match manner {
                Manner::Answers => connector.connect(address, ReplaySafe(&request)),
                Manner::Greets => connector.connect_server_first(address),
            };
            let (stream, outcome) = connected?.into();
            let connected = Instant::now();
            let port = stream.local_addr().context("getsockname")?.port();
            let (answered, answer) = read_answer(stream, manner.words().len(), patience)
                .with_context(|| format!("read from {address}"))?;
            anyhow::Ok((began, connected, outcome, port, answered, answer))
        });
        let (began, connected, outcome, port, answered, answer) = asked?;
        let visit = server.visit_from(port)?;
        Ok(Self {
            began,
            connected,
            answered,
            gave_up: answer.is_empty(),
            outcome,
            delivered_once: visit.received == request.as_bytes()
                && (answer.is_empty() || answer == manner.words()),
            request,
            visit,
        })
    }

    /// From the start of connecting to the first byte of the answer, or to giving up.
    pub(super) fn elapsed(&self) -> Duration {
        self.answered - self.began
    }
}

/// Reads an answer of that length, and notes when it began; empty if none came in time. Then closes the connection.
fn read_answer(
    mut stream: TcpStream,
    length: usize,
    patience: Duration,
) -> std::io::Result<(Instant, Vec<u8>)> {
    stream.set_read_timeout(Some(patience))?;
    let mut answer = vec![0; length];
    let first = match stream.read(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((Instant::now(), Vec::new())),
        read => read?,
    };
    let answered = Instant::now();
    stream.read_exact(&mut answer[first..])?;
    Ok((answered, answer))
}
