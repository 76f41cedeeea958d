//! One connection: connect with the first bytes, send the rest, receive the answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastopen::{ConnectError, Connected, Connector, Outcome, ReplaySafe, TcpInfo, TcpState};
use socket2::{Protocol, SockRef};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::answer::Answer;
use super::cookie::Cookies;
use super::data::{Chunks, Data};
use super::report::{Delivery, End, Report};
use super::upload::Upload;
use crate::interrupt::Interrupt;
use crate::own_server::OwnServer;

/// How often to look whether the server has acknowledged everything.
const PAUSE: Duration = Duration::from_millis(10);

/// How to connect, and where.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) addresses: &'a [SocketAddr],
    /// How long the server may be silent.
    pub(crate) silence: Duration,
    /// Whether the server speaks first: then nothing is sent before it has.
    pub(crate) server_first: bool,
}

/// Connects to the first of the addresses that takes the connection, sends everything, and receives until the server closes, is silent
/// for too long, or a stop is requested.
///
/// # Errors
/// The data could not be read, or the answer not be written.
pub(crate) async fn transfer(
    settings: &Settings<'_>,
    data: &mut Data,
    answer: &mut Answer,
    interrupt: &mut Interrupt,
) -> anyhow::Result<Report> {
    let first = match settings.server_first {
        true => Vec::new(),
        false => tokio::select! {
            first = data.first() => first?,
            () = interrupt.stop_requested() => return Ok(Report::interrupted()),
        },
    };
    let cookies = Cookies::now(settings.addresses.iter().map(SocketAddr::ip));
    let started = Instant::now();
    let connected = tokio::select! {
        connected = connect(settings, &first) => connected,
        () = interrupt.stop_requested() => return Ok(Report::interrupted()),
    };
    let Connected {
        stream,
        outcome,
        attempts,
        ..
    } = match connected {
        Ok(connected) => connected,
        Err(error) => return Ok(Report::failed(&error)),
    };
    let mut report = Report::connected(outcome, &attempts, first.len(), started.elapsed());
    report.server_first = settings.server_first;
    note_what_the_kernel_knows(&stream, cookies.as_ref(), &mut report);
    answer.begin()?;
    report.is_a_stream = data.is_a_stream();
    let rest = match settings.server_first {
        true => data.take_all(),
        false => data.take_rest(),
    };
    let mut talk = Talk {
        started,
        silence: settings.silence,
        report: &mut report,
    };
    talk.run(stream, rest, answer, interrupt).await?;
    report.own_server = own_server(&report);
    report.elapsed = Some(started.elapsed());
    Ok(report)
}

async fn connect(settings: &Settings<'_>, first: &[u8]) -> Result<Connected<TcpStream>, ConnectError> {
    let Settings {
        connector, addresses, ..
    } = *settings;
    match settings.server_first {
        true => connector.connect_server_first_tokio(addresses).await,
        false => connector.connect_tokio(addresses, ReplaySafe(first)).await,
    }
}

/// What is known as soon as the handshake is complete.
fn note_what_the_kernel_knows(stream: &TcpStream, cookies: Option<&Cookies>, report: &mut Report) {
    report.local = stream.local_addr().ok();
    report.rtt = TcpInfo::of(stream).ok().and_then(|info| info.rtt());
    let server = stream.peer_addr().map(|peer| peer.ip());
    let change = server
        .ok()
        .and_then(|server| cookies?.change(report.local, server));
    if let Some(change) = change {
        report.cookie_cached = Some(change.after.is_some());
        report.cookie = change.after.map(|cookie| cookie.to_string());
        report.cookie_before = change.before.map(|cookie| cookie.to_string());
        report.cookie_replaced = change.replaced();
    }
}

/// The server's listener where it is one of this machine that may be why no data was accepted in the SYN.
fn own_server(report: &Report) -> Option<OwnServer> {
    let (server, local) = (report.address?, report.local?);
    let refused = matches!(report.outcome, Some(Outcome::NoCookie | Outcome::Ignored));
    let is_here = server.ip().is_loopback() || server.ip() == local.ip();
    (refused && is_here).then(|| OwnServer::find(server, None))?
}

struct Talk<'a> {
    started: Instant,
    silence: Duration,
    report: &'a mut Report,
}

impl Talk<'_> {
    async fn run(
        &mut self,
        stream: TcpStream,
        rest: Option<Chunks>,
        answer: &mut Answer,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        let (mut reader, writer) = stream.into_split();
        // It lives until the report is complete: without it the upload closes this side.
        let (mut greeted, greeting) = match self.report.server_first {
            true => Some(oneshot::channel()).unzip(),
            false => (None, None),
        };
        let mut upload = Upload::start(writer, greeting, rest, self.silence);
        let end = tokio::select! {
            end = self.receive(&mut reader, answer, &mut upload, &mut greeted) => end?,
            () = interrupt.stop_requested() => End::Interrupted,
        };
        let end = match end {
            End::Closed => tokio::select! {
                end = self.wait_for_acknowledgments(&reader) => end,
                () = interrupt.stop_requested() => End::Interrupted,
            },
            end => end,
        };
        self.report.end = Some(end);
        self.report.sent += upload.sent();
        self.report.rounds = rounds(self.report.first_byte, self.report.rtt);
        let info = TcpInfo::of(reader.as_ref()).ok();
        self.report.retransmits = info.and_then(|info| info.total_retrans());
        self.report.acknowledged_afterwards = info.and_then(|info| {
            // The SYN counts as a byte.
            Some(info.bytes_acked()? > self.report.syn_bytes + 1)
        });
        let acknowledged = info
            .filter(|_| !is_multipath(&reader))
            .and_then(|info| is_acknowledged(&info, self.report.sent));
        self.report.delivery = match (upload.is_complete(), acknowledged) {
            (false, _) => Some(Delivery::CutOff),
            (true, Some(false)) => Some(Delivery::Unacknowledged),
            (true, Some(true)) => Some(Delivery::Complete),
            (true, None) => None,
        };
        Ok(())
    }

    /// Receives until both sides have closed. The first bytes are told to whoever waits for a greeting.
    async fn receive(
        &mut self,
        reader: &mut OwnedReadHalf,
        answer: &mut Answer,
        upload: &mut Upload,
        greeted: &mut Option<oneshot::Sender<()>>,
    ) -> anyhow::Result<End> {
        let mut buffer = vec![0; 64 * 1024];
        let (mut uploaded, mut received) = (None, false);
        while uploaded.is_none() || !received {
            tokio::select! {
                end = upload.end(), if uploaded.is_none() => uploaded = Some(end?),
                read = reader.read(&mut buffer), if !received => match read {
                    Ok(0) => {
                        received = true;
                        *greeted = None;
                    }
                    Ok(n) => {
                        // The upload may have failed already.
                        let _ = greeted.take().map(|greeted| greeted.send(()));
                        self.report.first_byte.get_or_insert(self.started.elapsed());
                        self.report.received += n as u64;
                        answer.write(&buffer[..n]).await?;
                    }
                    Err(error) => return Ok(End::from(&error)),
                },
                // Not as long as it may be waiting for this side's data.
                () = sleep(self.silence), if uploaded.is_some() || greeted.is_some() => return Ok(End::Silent),
            }
        }
        Ok(uploaded.unwrap_or(End::Closed))
    }

    /// Waits until the server has acknowledged everything, this side's FIN included. A server that closed first may still reset the
    /// connection when the rest arrives.
    async fn wait_for_acknowledgments(&self, reader: &OwnedReadHalf) -> End {
        let waited = Instant::now();
        loop {
            match reader.as_ref().take_error() {
                Ok(None) => {}
                Ok(Some(error)) | Err(error) => return End::from(&error),
            }
            match TcpInfo::of(reader.as_ref()) {
                Ok(info) if waits_for_acknowledgments(&info) => {}
                _ => return End::Closed,
            }
            if waited.elapsed() >= self.silence {
                return End::Silent;
            }
            sleep(PAUSE).await;
        }
    }
}

/// That time in round-trip times, to two digits behind the point.
fn rounds(time: Option<Duration>, rtt: Option<Duration>) -> Option<f64> {
    let rtt = rtt.filter(|rtt| !rtt.is_zero())?;
    Some((time?.as_secs_f64() / rtt.as_secs_f64() * 100.0).round() / 100.0)
}

/// Whether this side's FIN, and perhaps data before it, is not yet acknowledged.
fn waits_for_acknowledgments(info: &TcpInfo) -> bool {
    matches!(
        info.state(),
        Some(TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck)
    )
}

/// Whether `TcpInfo` is that of the first subflow alone, which ends when the kernel's worker gets to it, and may never have carried the
/// end of the data.
fn is_multipath(reader: &OwnedReadHalf) -> bool {
    let protocol = SockRef::from(reader.as_ref()).protocol();
    protocol.is_ok_and(|protocol| protocol == Some(Protocol::MPTCP))
}

/// Whether all that was sent is acknowledged; nothing where the kernel does not tell.
fn is_acknowledged(info: &TcpInfo, sent: u64) -> Option<bool> {
    match info.state()? {
        // Reset or timed out, or closed on both sides. The SYN counts as a byte.
        TcpState::Close => Some(info.bytes_acked()? > sent),
        _ => Some(!waits_for_acknowledgments(info)),
    }
}
