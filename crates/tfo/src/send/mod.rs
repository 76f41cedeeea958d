//! `tfo send`: a client that tells what became of its first bytes.
//!
//! `data` is what to send and `answer` where the answer goes; `exchange` is one connection, and gives a `report` to the `text` or the
//! JSON renderer. What an outcome means stands in `words`.

mod answer;
mod data;
mod escapes;
mod exchange;
mod failure;
mod report;
mod resolve;
mod text;
mod upload;
mod words;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::ValueEnum;
use fastopen::{Connector, Policy};

use crate::address::Address;
use crate::interrupt::Interrupt;
use crate::status::Status;
use crate::{json, stdout};

pub(crate) use answer::Answer;
pub(crate) use data::Data;
pub(crate) use exchange::exchange;
pub(crate) use report::Report;
pub(crate) use resolve::{Family, resolve};
pub(crate) use words::{explain, next_step};

/// Connect with the first bytes in the SYN, and tell what became of them
///
/// It sends DATA, says that no more will come, prints the answer on standard output and the report on standard error. The first
/// connection to a server finds no cookie and asks for one; the next has it. A network may deliver a SYN twice, so the server may see
/// the first bytes twice: send nothing that does harm then.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Where to connect: name:80, 192.0.2.2:80, [2001:db8::2]:80 or :80 on this machine; without a port it is 2222
    #[arg(value_name = "ADDR")]
    address: Address,
    /// What to send; - sends standard input as it comes, and after -- it may begin with a hyphen
    #[arg(value_name = "DATA")]
    data: Option<String>,
    /// Read \r, \n, \t, \0, \\ and \x1f in DATA as in C
    #[arg(short = 'e', long)]
    escapes: bool,
    /// Connect this many times, one after the other
    #[arg(short = 'n', long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,
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
    #[arg(long, value_name = "TIME", default_value = "10s")]
    timeout: humantime::Duration,
    /// How long an attempt may go unanswered before the next one joins it
    #[arg(long, value_name = "TIME", default_value = "250ms")]
    delay: humantime::Duration,
    /// The address to connect from
    #[arg(long, value_name = "IP")]
    source: Option<IpAddr>,
    /// The network interface to connect through
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// The mark for policy routing (SO_MARK; needs CAP_NET_ADMIN)
    #[arg(long, value_name = "N")]
    mark: Option<u32>,
    /// Use Multipath TCP where the kernel has it
    #[arg(long)]
    mptcp: bool,
    /// Save the answer in a file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the report as a JSON object on standard output, and the answer not at all
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyName {
    /// Never: an ordinary handshake
    Off,
    /// Where it can work; a plain attempt joins a fast one that gets no answer
    Auto,
    /// Always: no plain attempt takes its place
    Require,
}

const AFTER: &str = "\
Examples:
  tfo send -n2 :2222 hello               Twice to a server on this machine: no-cookie, then accepted
  tfo send -e example.com:80 'HEAD / HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n'
  tfo send 192.0.2.2:2222 - < file       The whole file; as much of it as fits goes into the SYN
  tfo send --policy off :2222 hello      The same without Fast Open, to compare

Exit status (of the last connection):
  0  the server took the data in the SYN; with --policy off: it connected
  1  Fast Open did not work (ignored, syn-lost, no cookie granted), or no connection
  2  wrong usage, or this system lacks something: the error says what to do
  3  no telling: it has its first cookie only now (run it again), or nothing was tried";

/// Connects, as often as asked, and prints a report each time.
///
/// # Errors
/// Wrong usage, a name that can't be resolved, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let status = runtime.block_on(send(args));
    // A thread may still wait for standard input or output; the program's end does not.
    runtime.shutdown_background();
    status
}

async fn send(args: &Args) -> anyhow::Result<Status> {
    let mut data = Data::new(args.data.as_deref(), args.escapes, args.repeat)?;
    let mut answer = match (&args.output, args.json) {
        (Some(path), _) => Answer::file(path)?,
        (None, true) => Answer::nowhere(),
        (None, false) => Answer::stdout(),
    };
    let connector = args.connector();
    let mut interrupt = Interrupt::new()?;
    let addresses = resolve(&args.address, args.family()).await?;
    let mut status = Status::Inconclusive;
    for number in 1..=args.repeat.get() {
        let silence = args.timeout.into();
        let mut report = exchange(
            &connector,
            &addresses,
            &mut data,
            &mut answer,
            silence,
            &mut interrupt,
        )
        .await?;
        if report.outcome.is_some() {
            answer.begin()?;
        }
        report.target = args.address.to_string();
        (report.connection, report.connections) = (number, args.repeat.get());
        status = report.status();
        match args.json {
            true => json::line(&mut stdout::lock(), &report)?,
            false => text::print(&report, answer.left_an_open_line()),
        }
        if report.was_interrupted() {
            break;
        }
    }
    Ok(status)
}

impl Args {
    fn connector(&self) -> Connector {
        let mut connector = Connector::new()
            .with_policy(self.policy.into())
            .with_timeout(self.timeout.into())
            .with_delay(self.delay.into())
            .with_mptcp(self.mptcp);
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
