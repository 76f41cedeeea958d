//! One timed connection: connect, send the first bytes, wait for the first byte of the answer.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastopen::{
    AttemptEnd, CallError, ConnectError, Connected, Connector, Outcome, PathMemory, Policy, ReplaySafe,
    TcpInfo, TcpState,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::local_error::LocalError;

/// How to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// An ordinary handshake.
    Plain,
    /// With the Fast Open option, and data in the SYN if there is a cookie; no plain attempt takes its place.
    Fast,
}

/// A connection whose handshake was completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) outcome: Outcome,
    /// How many of the first bytes the SYN carried.
    pub(crate) syn_bytes: usize,
    /// From the SYN to the end of the handshake.
    pub(crate) connect: Duration,
    /// Whether a SYN had to be sent again; `None` where the kernel does not tell.
    pub(crate) syn_repeated: Option<bool>,
    pub(crate) rtt: Option<Duration>,
    /// This machine's end.
    pub(crate) local: Option<SocketAddr>,
    pub(crate) answer: Answer,
    /// How the answer begins, where there is one.
    pub(crate) beginning: Vec<u8>,
    /// Of a connection without an answer: whether the server acknowledged its end, so that the path carries packets both ways.
    pub(crate) end_acknowledged: Option<bool>,
}

/// What was received after the handshake. Times count from the SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The first byte.
    Bytes(Duration),
    /// The server closed the connection without sending anything.
    Closed,
    /// The connection was reset.
    Reset,
    /// Nothing, as long as anybody waited.
    Silent,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The answer to the SYN was a RST.
    Refused,
    /// There was no answer.
    Unanswered,
    /// Network or host are out of reach, as this machine or a router says.
    NoRoute,
    /// This system makes no attempt: why, and the same as an error.
    Here(LocalError, String),
}

/// Makes connections that tell how they went.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    plain: Connector,
    fast: Connector,
    /// How long to wait for the answer.
    silence: Duration,
}

impl Client {
    /// How long the end of a connection may take after its first answer.
    const CLOSING: Duration = Duration::from_millis(250);
    /// How much of an answer is read to end a connection in order.
    const MOST_READ: usize = 256 * 1024;
    /// How much of it is kept.
    const MOST_KEPT: usize = 64;

    /// `patience` is how long connecting may take, and then the silence before the answer.
    pub(crate) fn new(patience: Duration) -> Self {
        let connector = Connector::new()
            .with_timeout(patience)
            .with_path_memory(PathMemory::new(0));
        Self {
            plain: connector.clone().with_policy(Policy::Off),
            fast: connector.with_policy(Policy::Require),
            silence: patience,
        }
    }

    /// The same with another time for the silence before the answer.
    pub(crate) fn with_silence(&self, silence: Duration) -> Self {
        Self {
            silence,
            ..self.clone()
        }
    }

    /// The same with another time for connecting.
    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        Self {
            plain: self.plain.with_timeout(timeout),
            fast: self.fast.with_timeout(timeout),
            ..self
        }
    }

    /// Connects once, sends the first bytes, and waits for the first byte of the answer.
    ///
    /// # Errors
    /// There is no connection.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        way: Way,
        first_bytes: &[u8],
    ) -> Result<Made, Failure> {
        let connector = match way {
            Way::Plain => &self.plain,
            Way::Fast => &self.fast,
        };
        let started = Instant::now();
        match connector.connect_tokio(address, ReplaySafe(first_bytes)).await {
            Ok(connected) => Ok(self.receive(connected, started).await),
            Err(ConnectError::TimedOut { outcome: Some(_), .. }) => Ok(Made::broken(started.elapsed())),
            Err(error) => Err(Failure::from(&error)),
        }
    }

    async fn receive(&self, connected: Connected<TcpStream>, started: Instant) -> Made {
        let connect = started.elapsed();
        let Connected {
            mut stream,
            outcome,
            attempts,
            ..
        } = connected;
        let info = TcpInfo::of(&stream).ok();
        let mut first = [0; 4096];
        let mut beginning = Vec::new();
        let answer = match timeout(self.silence, stream.read(&mut first)).await {
            Err(_) => Answer::Silent,
            Ok(Ok(0)) => Answer::Closed,
            Ok(Ok(len)) => {
                let after = started.elapsed();
                beginning.extend_from_slice(&first[..len.min(Self::MOST_KEPT)]);
                Answer::Bytes(after)
            }
            Ok(Err(error)) => Answer::from(&error),
        };
        let local = stream.local_addr().ok();
        let mut end_acknowledged = None;
        match answer {
            Answer::Bytes(_) => {
                // Whatever goes wrong from here on changes nothing.
                let _ = timeout(Self::CLOSING, close_in_order(stream)).await;
            }
            Answer::Silent => end_acknowledged = acknowledges_the_end(&mut stream, connect).await,
            Answer::Closed | Answer::Reset => {}
        }
        Made {
            outcome,
            syn_bytes: syn_bytes(&attempts),
            connect,
            syn_repeated: syn_repeated(outcome, info.as_ref()),
            rtt: info.and_then(|info| info.rtt()),
            local,
            answer,
            beginning,
            end_acknowledged,
        }
    }
}

impl Made {
    /// A connection that broke before it had taken the first bytes.
    fn broken(connect: Duration) -> Self {
        Self {
            outcome: Outcome::Unknown,
            syn_bytes: 0,
            connect,
            syn_repeated: None,
            rtt: None,
            local: None,
            answer: Answer::Reset,
            beginning: Vec::new(),
            end_acknowledged: None,
        }
    }

    /// For tests: a connection of 20 ms with this outcome and answer.
    #[cfg(test)]
    pub(crate) fn sample(outcome: Outcome, answer: Answer) -> Self {
        Self {
            outcome,
            syn_bytes: 0,
            connect: Duration::from_millis(20),
            syn_repeated: Some(false),
            rtt: None,
            local: None,
            answer,
            beginning: Vec::new(),
            end_acknowledged: None,
        }
    }

    /// From the SYN to the first byte of the answer.
    pub(crate) fn first_byte(&self) -> Option<Duration> {
        match self.answer {
            Answer::Bytes(after) => Some(after),
            Answer::Closed | Answer::Reset | Answer::Silent => None,
        }
    }
}

/// Lets the server end the connection, so that it sees no reset.
async fn close_in_order(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut rest = (&mut stream).take(Client::MOST_READ as u64);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

/// Ends this side of a connection, and says whether the server acknowledges that; `None` where the system does not tell.
async fn acknowledges_the_end(stream: &mut TcpStream, round_trip: Duration) -> Option<bool> {
    const INTERVAL: Duration = Duration::from_millis(10);
    // Long enough for the FIN to be sent again once or twice.
    let limit = (4 * round_trip).clamp(Duration::from_millis(800), Duration::from_secs(3));
    stream.shutdown().await.ok()?;
    let started = Instant::now();
    loop {
        match TcpInfo::of(&*stream).ok()?.state()? {
            TcpState::FinWait1 | TcpState::Closing if started.elapsed() < limit => sleep(INTERVAL).await,
            TcpState::FinWait1 => return Some(false),
            _ => return Some(true),
        }
    }
}

/// What the kernel sends again counts alike; after data that was not taken it is the data.
fn syn_repeated(outcome: Outcome, info: Option<&TcpInfo>) -> Option<bool> {
    match outcome {
        Outcome::SynLost => Some(true),
        Outcome::Accepted | Outcome::Ignored => Some(false),
        _ => info?.total_retrans().map(|segments| segments > 0),
    }
}

fn syn_bytes(attempts: &[fastopen::Attempt]) -> usize {
    let winner = attempts
        .iter()
        .find(|attempt| attempt.end == AttemptEnd::Connected);
    winner.map_or(0, |winner| winner.syn.bytes())
}

impl From<&io::Error> for Answer {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::TimedOut => Self::Silent,
            _ => Self::Reset,
        }
    }
}

impl From<&ConnectError> for Failure {
    fn from(error: &ConnectError) -> Self {
        match (error, LocalError::last(error.attempts())) {
            (ConnectError::TimedOut { .. }, _) => Self::Unanswered,
            (_, Some((call, why))) => Self::of_call(call, why, error),
            (_, None) => Self::Here(LocalError::Other, error.to_string()),
        }
    }
}

impl Failure {
    fn of_call(call: CallError, why: LocalError, error: &ConnectError) -> Self {
        match call.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                Self::Refused
            }
            ErrorKind::TimedOut => Self::Unanswered,
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Self::NoRoute,
            _ => Self::Here(why, error.to_string()),
        }
    }
}
