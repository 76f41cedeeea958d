//! One connection: connect with the first bytes, send the rest, receive the answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastopen::{Connected, Connector, ReplaySafe, TcpInfo};
use fastopen_host::cookies;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::sleep;

use super::answer::Answer;
use super::data::{Chunks, Data};
use super::report::{End, Report};
use super::upload::Upload;
use crate::interrupt::Interrupt;

/// Connects to the first of the addresses that takes the connection, sends everything, and receives until the server has said all it
/// has to say, is silent for too long, or the program is asked to stop.
///
/// # Errors
/// The data could not be read, or the answer not be written.
pub(crate) async fn exchange(
    connector: &Connector,
    addresses: &[SocketAddr],
    data: &mut Data,
    answer: &mut Answer,
    silence: Duration,
    interrupt: &mut Interrupt,
) -> anyhow::Result<Report> {
    let first = tokio::select! {
        first = data.first() => first?,
        () = interrupt.wished() => return Ok(Report::interrupted()),
    };
    let started = Instant::now();
    let connected = tokio::select! {
        connected = connector.connect_tokio(addresses, ReplaySafe(&first)) => connected,
        () = interrupt.wished() => return Ok(Report::interrupted()),
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
    note_what_the_kernel_knows(&stream, &mut report);
    let mut talk = Talk {
        started,
        silence,
        report: &mut report,
    };
    talk.run(stream, data.take_rest(), answer, interrupt).await?;
    report.elapsed = Some(started.elapsed());
    Ok(report)
}

/// What is known as soon as the handshake is complete.
fn note_what_the_kernel_knows(stream: &TcpStream, report: &mut Report) {
    report.local = stream.local_addr().ok();
    report.rtt = TcpInfo::of(stream).ok().and_then(|info| info.rtt());
    let server = stream.peer_addr().map(|peer| peer.ip().to_canonical());
    if let Some(entry) = server.ok().and_then(|server| cookies::get(server).ok()) {
        let cookie = entry.and_then(|entry| entry.cookie);
        report.cookie_cached = Some(cookie.is_some());
        report.cookie = cookie.map(|cookie| cookie.to_string());
    }
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
        let mut upload = Upload::start(writer, rest, self.silence);
        let end = tokio::select! {
            end = self.receive(&mut reader, answer, &mut upload) => end?,
            () = interrupt.wished() => End::Interrupted,
        };
        self.report.end = Some(end);
        self.report.sent += upload.sent();
        let info = TcpInfo::of(reader.as_ref()).ok();
        self.report.retransmits = info.and_then(|info| info.total_retrans());
        Ok(())
    }

    /// Receives until both sides have said all they have to say.
    async fn receive(
        &mut self,
        reader: &mut OwnedReadHalf,
        answer: &mut Answer,
        upload: &mut Upload,
    ) -> anyhow::Result<End> {
        let mut buffer = vec![0; 64 * 1024];
        let (mut uploaded, mut received) = (None, false);
        while uploaded.is_none() || !received {
            tokio::select! {
                end = upload.end(), if uploaded.is_none() => uploaded = Some(end?),
                read = reader.read(&mut buffer), if !received => match read {
                    Ok(0) => received = true,
                    Ok(n) => {
                        self.report.first_byte.get_or_insert(self.started.elapsed());
                        self.report.received += n as u64;
                        answer.write(&buffer[..n]).await?;
                    }
                    Err(error) => return Ok(End::from(&error)),
                },
                // Not as long as it may be waiting for this side's data.
                () = sleep(self.silence), if uploaded.is_some() => return Ok(End::Silent),
            }
        }
        Ok(uploaded.unwrap_or(End::Closed))
    }
}
