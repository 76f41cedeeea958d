//! The server: it answers every request at once, or greets every client, and records each connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fastopen::for_tokio::Confirmation;
use fastopen::{Arrival, KeyRing, ListenOptions, Listening};
use fastopen_lab::Host;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// What every request ends with.
pub(super) const REQUEST_END: &str = "\r\n\r\n";

/// The shortest time for which the kernel keeps an unconfirmed fast connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may stay unacknowledged before the kernel ends the connection, as on a path that has died.
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);
/// No connection here takes longer to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// The client, as in HTTP.
    Answers,
    /// The server, as in SMTP.
    Greets,
}

impl Manner {
    fn port(self) -> u16 {
        match self {
            Self::Answers => 80,
            Self::Greets => 25,
        }
    }

    /// Everything that the server says.
    pub(super) fn words(self) -> &'static [u8] {
        match self {
            Self::Answers => b"HTTP/1.0 200 OK\r\n\r\nHello\n",
            Self::Greets => b"220 demo ESMTP\r\n",
        }
    }
}

/// A server at work, in a thread inside its host. Dropping it stops it.
pub(super) struct Server {
    address: SocketAddr,
    manner: Manner,
    accepted: Arc<AtomicUsize>,
    visits: Receiver<Visit>,
    ended: Vec<Visit>,
    taken: usize,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One connection as the server saw it, from the beginning to the end.
pub(super) struct Visit {
    pub(super) peer: SocketAddr,
    pub(super) arrival: Arrival,
    /// When the application got the connection.
    pub(super) accepted: Instant,
    /// When it wrote the answer, or the greeting.
    pub(super) answered: Option<Instant>,
    /// When the client had proved its address.
    pub(super) confirmed: Option<Instant>,
    /// Everything that the application has read.
    pub(super) received: Vec<u8>,
    pub(super) ended: Instant,
}

impl Server {
    /// Starts it on the host's address of the same family as `like`, with these keys or the kernel's.
    pub(super) fn start(
        host: &Host,
        like: IpAddr,
        manner: Manner,
        keys: Option<&KeyRing>,
    ) -> anyhow::Result<Self> {
        let address = SocketAddr::new(host.address_like(like), manner.port());
        let mut options = ListenOptions::new()
            .with_handshake_timeout(HANDSHAKE_TIMEOUT)
            .with_socket_setup(|socket| socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)));
        if let Some(keys) = keys {
            options = options.with_keys(keys.clone());
        }
        let Listening {
            listener, warnings, ..
        } = host.run(|| options.listen(address))?;
        if let Some(warning) = warnings.first() {
            bail!("{address}: {warning}");
        }
        listener.set_nonblocking(true).context("fcntl(O_NONBLOCK)")?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the server's runtime")?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let (visit, visits) = channel();
        let (stop, stopped) = oneshot::channel();
        let counter = Arc::clone(&accepted);
        let thread = host.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    Err(error) = serve(listener, manner, counter, visit) => eprintln!("{address}: {error}"),
                }
            });
        });
        Ok(Self {
            address,
            manner,
            accepted,
            visits,
            ended: Vec::new(),
            taken: 0,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn manner(&self) -> Manner {
        self.manner
    }

    /// Waits for the end of the connection from that port.
    pub(super) fn visit_from(&mut self, port: u16) -> anyhow::Result<Visit> {
        loop {
            if let Some(i) = self.ended.iter().position(|visit| visit.peer.port() == port) {
                self.taken += 1;
                return Ok(self.ended.swap_remove(i));
            }
            self.wait()
                .with_context(|| format!("the connection from port {port}"))?;
        }
    }

    /// Waits for the end of all other connections, of which there must be so many at least.
    pub(super) fn others(mut self, at_least: usize) -> anyhow::Result<Vec<Visit>> {
        while self.ended.len() < at_least
            || self.ended.len() + self.taken < self.accepted.load(Ordering::Acquire)
        {
            self.wait().context("a connection that was expected")?;
        }
        Ok(std::mem::take(&mut self.ended))
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let visit = self.visits.recv_timeout(PATIENCE);
        self.ended
            .push(visit.context("the server has not seen the end of it")?);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(
    listener: std::net::TcpListener,
    manner: Manner,
    accepted: Arc<AtomicUsize>,
    visits: Sender<Visit>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let now = Instant::now();
        accepted.fetch_add(1, Ordering::AcqRel);
        let visits = visits.clone();
        tokio::spawn(async move {
            let visit = account(stream, peer, manner, now).await?;
            // An error does not matter once the demonstration is over.
            let _ = visits.send(visit);
            io::Result::Ok(())
        });
    }
}

async fn account(
    mut stream: TcpStream,
    peer: SocketAddr,
    manner: Manner,
    accepted: Instant,
) -> io::Result<Visit> {
    let arrival = Arrival::of(&stream)?;
    let confirmation = Confirmation::new(&stream);
    let confirmed = async { confirmation.ok()?.await.ok().map(|()| Instant::now()) };
    let (confirmed, (received, answered)) = tokio::join!(confirmed, converse(&mut stream, manner));
    Ok(Visit {
        peer,
        arrival,
        accepted,
        answered,
        confirmed,
        received,
        ended: Instant::now(),
    })
}

/// Reads up to the end of the connection, and speaks as soon as it is its turn.
async fn converse(stream: &mut TcpStream, manner: Manner) -> (Vec<u8>, Option<Instant>) {
    let (mut received, mut answered) = (Vec::new(), None);
    if manner == Manner::Greets {
        // If the write fails, so does the next read.
        let _ = stream.write_all(manner.words()).await;
        answered = Some(Instant::now());
    }
    while let Ok(1..) = stream.read_buf(&mut received).await {
        if answered.is_none() && received.ends_with(REQUEST_END.as_bytes()) {
            // If the write fails, so does the next read.
            let _ = stream.write_all(manner.words()).await;
            answered = Some(Instant::now());
        }
    }
    (received, answered)
}
