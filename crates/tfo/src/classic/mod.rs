//! `tcp-fast-open`: the command line of the classic example program, with the answer that it could not give.

mod text;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use fastopen::{Connector, ListenOptions, Listening, Outcome};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::address::Address;
use crate::interrupt::Interrupt;
use crate::send::{self, Answer, Data, Family, Report};
use crate::serve::{self, Ended};
use crate::status::Status;
use crate::stdout;

const GREETING: &[u8] = b"Hello from tcp-fast-open\n";
const PATIENCE: Duration = Duration::from_secs(5);

/// Show a TCP Fast Open connection, and whether it worked
///
/// It connects to a server that does TCP Fast Open and sends a greeting; when there is no cookie for the server yet, it connects once
/// more to use the one that it was granted. With --listen it is the server as well, and says what both ends saw. Servers elsewhere
/// are made with: tfo serve.
#[derive(Debug, Parser)]
#[command(name = "tcp-fast-open", version, max_term_width = 100, after_long_help = AFTER)]
pub struct Args {
    /// Server to connect to, and to listen on with --listen: an IP address or a name
    #[arg(short, long, value_name = "ADDR", default_value = "127.0.0.1")]
    server: String,
    /// Port to connect to, and to listen on with --listen
    #[arg(short, long, default_value_t = Address::DEFAULT_PORT)]
    port: u16,
    /// Listen, connect to oneself, and show both ends
    #[arg(short, long)]
    listen: bool,
}

const AFTER: &str = "\
Examples:
  tcp-fast-open -l                       Both ends on this machine
  tcp-fast-open -l -s ::1                The same over IPv6
  tcp-fast-open -s 192.0.2.2 -p 8080     To a server elsewhere, such as: tfo serve :8080

The system calls behind it, server and client in one program, from the sources:
  cargo run -p fastopen --example bare_calls

Exit status:
  0  the server took the data in the SYN
  1  it connected and Fast Open did not work, or it did not connect
  2  wrong usage, or this system lacks something: the output says what to do
  3  there is no telling";

impl Args {
    /// Connects, and says what happened.
    ///
    /// # Errors
    /// There can be no listener, a name that can't be resolved, or nobody reads standard output any more.
    pub fn run(&self) -> anyhow::Result<Status> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.show())
    }

    async fn show(&self) -> anyhow::Result<Status> {
        let address = Address {
            host: Some(self.server.clone()),
            port: self.port,
        };
        let mut out = stdout::lock();
        let mut server = match self.listen {
            true => Some(Server::start(&address).await?),
            false => None,
        };
        if let Some(server) = &server {
            text::listening(&mut out, &address, &server.warnings)?;
        }
        let connector = Connector::new().with_timeout(PATIENCE);
        let addresses = send::resolve(&address, Family::Any).await?;
        let mut interrupt = Interrupt::new()?;
        // The first time to get a cookie, the second to use it.
        for last in [false, true] {
            let (mut data, mut answer) = (Data::Bytes(GREETING.to_vec()), Answer::memory());
            let report = send::exchange(
                &connector,
                &addresses,
                &mut data,
                &mut answer,
                PATIENCE,
                &mut interrupt,
            )
            .await?;
            let seen = match (&mut server, report.local) {
                (Some(server), Some(client)) => server.saw(client).await,
                _ => None,
            };
            let came_back = answer.kept() == GREETING;
            text::connection(&mut out, &report, came_back, seen.as_ref())?;
            if last || !may_go_better(&report) {
                let server_was_warned = server.is_some_and(|server| !server.warnings.is_empty());
                text::conclusion(&mut out, &address, &report, server_was_warned)?;
                return Ok(match report.status() {
                    Status::Fails | Status::Inconclusive if server_was_warned => Status::Unusable,
                    status => status,
                });
            }
        }
        unreachable!("the last of the two rounds returns")
    }
}

/// Whether the next connection has a cookie that this one had not, or a better one.
fn may_go_better(report: &Report) -> bool {
    let has_a_new_cookie = match report.outcome {
        Some(Outcome::NoCookie) => report.cookie_cached != Some(false),
        Some(Outcome::Ignored) => true,
        _ => false,
    };
    has_a_new_cookie && !report.was_interrupted()
}

/// The server's end.
struct Server {
    connections: mpsc::Receiver<Ended>,
    warnings: Vec<String>,
}

impl Server {
    async fn start(address: &Address) -> anyhow::Result<Self> {
        let Listening { listener, warnings } = serve::listen(address, &ListenOptions::new()).await?;
        Ok(Self {
            connections: serve::in_background(listener, PATIENCE),
            warnings: warnings.iter().map(ToString::to_string).collect(),
        })
    }
    /// How the connection from that address went, when it has ended; others are passed over.
    async fn saw(&mut self, client: SocketAddr) -> Option<Ended> {
        let its_end = async {
            loop {
                let ended = self.connections.recv().await?;
                if ended.arrived.peer == client {
                    return Some(ended);
                }
            }
        };
        timeout(PATIENCE, its_end).await.ok()?
    }
}
