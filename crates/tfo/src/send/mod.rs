//! `tfo send`: a client that reports what became of its first bytes.
//!
//! The connection is made by [`crate::client`], and its report drawn by `text` or as JSON. `options` says which of the command's options
//! help.

mod escapes;
mod options;
mod text;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use fastopen::{Connector, Policy};

use crate::address::{self, Address};
use crate::client::{self, Answer, Data, Family, Report, Settings};
use crate::hint::Hint;
use crate::interrupt::Interrupt;
use crate::status::Status;
use crate::{json, stdout, units, values};

/// Connect with the first bytes in the SYN, and report what became of them
///
/// It sends DATA, closes its side of the connection, and prints the answer on standard output and the report on standard error. The
/// first connection to a server has no cookie and requests one; the next one presents it.
///
/// The server may receive the first bytes twice, because a network can deliver a SYN twice: send nothing that does harm then.
///
/// TIME is a number with a unit: 250ms, 10s, 2m.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Where to connect: name:80, 192.0.2.2:80, [2001:db8::2]:80 or :80 on this machine; without a port it is 2222
    #[arg(value_name = "ADDR", value_parser = address::target)]
    address: Address,
    /// What to send; - sends standard input as it arrives, and after -- DATA may begin with a hyphen
    #[arg(value_name = "DATA")]
    data: Option<String>,
    /// Read \r, \n, \t, \0, \\ and \x1f in DATA as in C
    #[arg(short = 'e', long)]
    escapes: bool,
    /// The server speaks first, as those of SSH, SMTP, FTP, IMAP and MySQL do
    ///
    /// The SYN presents the cookie and carries no data, so that the server can send its greeting one round trip sooner and nothing of
    /// this side's can arrive twice. DATA, if any, is sent once the greeting arrives.
    #[arg(long)]
    server_first: bool,
    /// Connect this many times, one after the other
    #[arg(short = 'n', long, value_name = "N", default_value = "1", value_parser = values::number::<u32>(1..=1_000_000))]
    repeat: u32,
    /// Use IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6')]
    ipv6: bool,
    /// Whether to use Fast Open
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    policy: PolicyName,
    /// How long connecting may take, and then each silence of the server
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::parse_time)]
    timeout: Duration,
    /// How long to wait for an answer to a SYN before the next attempt starts; if not given, it follows the path's round-trip time, or is
    /// 250ms where that is not known
    #[arg(long, value_name = "TIME", value_parser = units::parse_time_or_zero)]
    delay: Option<Duration>,
    /// The address to connect from
    #[arg(long, value_name = "IP", value_parser = values::ip)]
    source: Option<IpAddr>,
    /// The network interface to connect through
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// The mark for policy routing (SO_MARK; needs CAP_NET_ADMIN)
    #[arg(long, value_name = "N", value_parser = values::number::<u32>(0..=u32::MAX.into()))]
    mark: Option<u32>,
    /// Use Multipath TCP where the kernel has it
    #[arg(long)]
    mptcp: bool,
    /// Save the answer in a file instead of printing it; the file is replaced once there is a connection
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object for each connection on standard output, or for what kept it from being made (described by
    /// schemas/send.json); the answer is not printed
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyName {
    /// Never: an ordinary handshake
    Off,
    /// Where it can work; if the fast SYN gets no answer, a plain attempt follows
    Auto,
    /// Always: no plain attempt follows
    Require,
}

const AFTER: &str = "\
Examples:
  tfo send -n2 :2222 hello               Twice to a server on this machine: no-cookie, then accepted
  tfo send -e example.com:80 'HEAD / HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n'
  tfo send 192.0.2.2:2222 - < file       The whole file; as much of it as fits goes into the SYN
  tfo send --policy off :2222 hello      The same without Fast Open, to compare
  tfo send --server-first -n2 192.0.2.2:22              SSH: the greeting, sooner the second time
  tfo send --server-first -e 192.0.2.2:25 'QUIT\\r\\n'  SMTP: the greeting, then a command

Exit status (of the last connection):
  0  the server took the data in the SYN, and then answered or, as after an upload, acknowledged
     everything and closed without a reset; with --server-first it spoke before the client's ACK
     could reach it; with --policy off: it connected, and then the same
  1  Fast Open did not work (ignored, syn-lost, no cookie granted), there was no connection, it
     broke off after the handshake, or not all the data was sent
  2  wrong usage, or this system lacks something: the error says what to do
  3  inconclusive: the first cookie was granted only now (run it again), nothing was tried,
     the server did not answer (it was silent until --timeout or an interruption, or reset the
     connection), or with --server-first nothing proves a saved round trip";

/// Connects, as often as asked, and prints a report each time.
///
/// # Errors
/// Wrong usage, a name that can't be resolved, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut connection = 1;
    let status = runtime.block_on(send(args, &mut connection));
    // A thread may still wait for standard input or output; the program's end does not.
    runtime.shutdown_background();
    match &status {
        Err(error) if args.json && !stdout::was_closed(error) => {
            args.print(Report::not_started(error), connection, None)?;
        }
        _ => {}
    }
    status
}

/// Counts the connections, so that an error can say which one it is about.
async fn send(args: &Args, connection: &mut u32) -> anyhow::Result<Status> {
    let mut data = args.data()?;
    let mut answer = match (&args.output, args.json) {
        (Some(path), _) => Answer::file(path)?,
        (None, true) => Answer::nowhere(),
        (None, false) => Answer::stdout(),
    };
    let connector = args.connector();
    let mut interrupt = Interrupt::new()?;
    let addresses = tokio::select! {
        addresses = client::resolve(&args.address, args.family()) => addresses?,
        () = interrupt.stop_requested() => {
            let report = Report::interrupted();
            let status = report.status();
            args.print(report, *connection, None)?;
            return Ok(status);
        }
    };
    let settings = Settings {
        connector: &connector,
        addresses: &addresses,
        silence: args.timeout,
        server_first: args.server_first,
    };
    loop {
        let report = client::transfer(&settings, &mut data, &mut answer, &mut interrupt).await?;
        let (status, interrupted) = (report.status(), report.was_interrupted());
        args.print(report, *connection, Some(&answer))?;
        if interrupted || *connection == args.repeat {
            return Ok(status);
        }
        *connection += 1;
    }
}

impl Args {
    fn data(&self) -> anyhow::Result<Data> {
        let repeat = self.repeat;
        match self.data.as_deref() {
            Some("-") if repeat > 1 => {
                bail!("standard input can be read only once, so it can't be sent {repeat} times")
            }
            Some("-") => Ok(Data::stdin()?),
            Some(text) if self.escapes => {
                let bytes = escapes::unescape(text)
                    .with_context(|| format!("in {text:?}"))
                    .hint("a backslash itself is written as \\\\")?;
                Ok(Data::Bytes(bytes))
            }
            text => Ok(Data::Bytes(text.unwrap_or_default().into())),
        }
    }

    fn print(&self, mut report: Report, connection: u32, answer: Option<&Answer>) -> std::io::Result<()> {
        report.target = self.address.to_string();
        (report.connection, report.connections) = (connection, self.repeat);
        match self.json {
            true => json::line(&mut stdout::lock(), &report)?,
            false => text::print(&report, answer.is_some_and(Answer::left_an_open_line)),
        }
        Ok(())
    }

    fn connector(&self) -> Connector {
        let mut connector = Connector::new()
            .with_policy(self.policy.into())
            .with_timeout(self.timeout)
            .with_mptcp(self.mptcp);
        if let Some(delay) = self.delay {
            connector = connector.with_delay(delay);
        }
        if let Some(source) = self.source {
            connector = connector.with_local_address(source);
        }
        if let Some(interface) = &self.interface {
            connector = connector.with_device(interface);
        }
        if let Some(mark) = self.mark {
            connector = connector.with_mark(mark);
        }
        connector
    }

    fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::Ipv4,
            (_, true) => Family::Ipv6,
            _ => Family::Any,
        }
    }
}

impl From<PolicyName> for Policy {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::Off => Self::Off,
            PolicyName::Auto => Self::Auto,
            PolicyName::Require => Self::Require,
        }
    }
}
