//! `tcp-fast-open`: the command line of the classic example program, with the answer that it could not give.

mod arguments;
mod text;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use fastopen::{Connector, ListenOptions, Listening, Outcome};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::address::Address;
use crate::client::{self, Answer, Data, Family, Report, Settings};
use crate::hint;
use crate::interrupt::Interrupt;
use crate::server::{self, Ended};
use crate::status::Status;
use crate::stdout;

pub use arguments::with_two_dashes;

const GREETING: &[u8] = b"Hello from tcp-fast-open\n";
const PATIENCE: Duration = Duration::from_secs(5);
const LOOPBACK: &str = "127.0.0.1";

/// Show a TCP Fast Open connection, and whether it worked
///
/// It connects to a server that does TCP Fast Open and sends a greeting; when there is no cookie for the server yet, or the server
/// replaces the cookie, it connects once more to use the one that it was granted.
///
/// With --listen it is the server as well, and says what both ends saw. To run a server elsewhere: tfo serve.
#[derive(Debug, Parser)]
#[command(name = "tcp-fast-open", version, after_long_help = AFTER)]
pub struct Args {
    /// Server to connect to, and to listen on with --listen: an IP address or a name
    #[arg(
        short,
        long,
        alias = "s",
        value_name = "ADDR",
        num_args = 0..=1,
        default_value = LOOPBACK,
        default_missing_value = LOOPBACK,
        value_parser = arguments::server
    )]
    server: String,
    /// Port to connect to, and to listen on with --listen; with --listen, 0 is any free port
    #[arg(
        short,
        long,
        alias = "p",
        num_args = 0..=1,
        default_value = "2222",
        default_missing_value = "2222",
        value_parser = arguments::port
    )]
    port: u16,
    /// Listen and connect to it, and show both ends
    #[arg(short, long, alias = "l")]
    listen: bool,
}

const AFTER: &str = "\
Examples:
  tcp-fast-open -l                       Both ends on this machine
  tcp-fast-open -l -s ::1                The same over IPv6
  tcp-fast-open -s 192.0.2.2 -p 8080     To a server elsewhere, such as: tfo serve :8080
  cargo run -p fastopen --example bare_calls
                                         The system calls behind it, in the sources

Exit status:
  0  the server took the data in the SYN, and then answered or closed without a reset
  1  it connected and Fast Open did not work, or it did not connect
  2  wrong usage, or this system lacks something: the output says what to do
  3  inconclusive, as where the server did not answer";

impl Args {
    /// Connects, and says what happened.
    ///
    /// # Errors
    /// There can be no listener, a name that can't be resolved, or nobody reads standard output any more.
    pub fn run(&self) -> anyhow::Result<Status> {
        if self.port == 0 && !self.listen {
            let error = anyhow::anyhow!("there is no port 0 to connect to");
            return Err(hint::with(error, "give the server's port with -p"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let status = runtime.block_on(self.show());
        // A thread may still resolve a name; the program's end does not wait for it.
        runtime.shutdown_background();
        status
    }

    async fn show(&self) -> anyhow::Result<Status> {
        let mut address = Address {
            host: Some(self.server.clone()),
            port: self.port,
        };
        let mut out = stdout::lock();
        let mut interrupt = Interrupt::new()?;
        let mut server = match self.listen {
            true => Some(Server::start(&address).await?),
            false => None,
        };
        if let Some(server) = &server {
            address.port = server.port;
            text::listening(&mut out, &address, &server.warnings)?;
        }
        let addresses = tokio::select! {
            addresses = client::resolve(&address, Family::Any) => addresses?,
            () = interrupt.stop_requested() => return Ok(Status::Inconclusive),
        };
        let settings = Settings {
            connector: &Connector::new().with_timeout(PATIENCE),
            addresses: &addresses,
            silence: PATIENCE,
            server_first: false,
        };
        let mut report = None;
        // The first time to get a cookie, the second to use it.
        for _ in 0..2 {
            let (mut data, mut answer) = (Data::Bytes(GREETING.to_vec()), Answer::memory());
            let this = client::transfer(&settings, &mut data, &mut answer, &mut interrupt).await?;
            let seen = match (&mut server, this.local) {
                (Some(server), Some(client)) => tokio::select! {
                    seen = server.saw(client) => seen,
                    () = interrupt.stop_requested() => None,
                },
                _ => None,
            };
            let came_back = answer.kept() == GREETING;
            text::connection(&mut out, &this, came_back, seen.as_ref())?;
            let may_improve = may_improve(&this);
            report = Some(this);
            if !may_improve {
                break;
            }
        }
        let report = report.unwrap_or_else(Report::interrupted);
        let server_was_warned = server.is_some_and(|server| !server.warnings.is_empty());
        text::conclusion(&mut out, &address, &report, server_was_warned)?;
        Ok(match report.status() {
            Status::Fails | Status::Inconclusive if server_was_warned => Status::Unusable,
            status => status,
        })
    }
}

/// Whether the next connection has a cookie that this one had not, or a better one.
fn may_improve(report: &Report) -> bool {
    let has_a_new_cookie = match report.outcome {
        Some(Outcome::NoCookie) => report.cookie_cached != Some(false),
        Some(Outcome::Ignored) => report.cookie_replaced != Some(false),
        _ => false,
    };
    has_a_new_cookie && !report.was_interrupted()
}

/// The server's end.
struct Server {
    /// The one that the listener has, whichever was asked for.
    port: u16,
    connections: mpsc::Receiver<Ended>,
    warnings: Vec<String>,
}

impl Server {
    async fn start(address: &Address) -> anyhow::Result<Self> {
        let Listening {
            listener, warnings, ..
        } = server::listen(address, &ListenOptions::new()).await?;
        Ok(Self {
            port: listener.local_addr()?.port(),
            connections: server::in_background(listener, PATIENCE),
            warnings: warnings.iter().map(ToString::to_string).collect(),
        })
    }

    /// How the connection from that address went, once it has ended; others are ignored.
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
