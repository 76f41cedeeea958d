//! `tfo probe`: does Fast Open work to that host, and what does it save?
//!
//! ```text
//!   schedule ──▶ session ──▶ evidence ──▶ judge ──▶ report ──▶ text or JSON
//!   what next     connects    values      decides   says       draws
//! ```
//!
//! [`schedule`], [`judge`], its [`tally`] and [`causes`], [`notes`], [`words`] and [`advice`] are pure. `batch` probes many targets at a
//! time, `sniffer` looks at packets where that is allowed, and `checks` are further connections where causes look alike.

mod advice;
mod batch;
mod causes;
mod checks;
mod evidence;
mod icmp;
mod judge;
mod notes;
mod report;
mod saving;
mod schedule;
mod session;
mod sniffer;
mod tally;
mod targets;
mod text;
mod verdict;
mod words;

use std::time::Duration;

use crate::json;
use crate::status::Status;
use crate::timed::{FirstBytesArgs, all_requests};
use crate::{units, values};

/// Say whether Fast Open works to a host, why not, and what it saves
///
#[derive(Debug, clap::Args)]
#[command(long_about = about(), after_long_help = AFTER)]
pub struct Args {
    /// What to probe: host, host:443, [2001:db8::2]:443 or a URL; - reads one a line from standard input
    #[arg(value_name = "TARGET", required = true, value_parser = not_empty)]
    targets: Vec<String>,
    /// How many connections carry data in their SYN; more are made where these do not decide
    #[arg(short = 'n', value_name = "N", default_value = "3", value_parser = values::number::<u16>(1..=65_535))]
    number: u16,
    #[command(flatten)]
    first_bytes: FirstBytesArgs,
    /// How long connecting may take, and then the silence before the answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::parse_time)]
    timeout: Duration,
    /// How many targets to probe at a time
    #[arg(long, value_name = "N", default_value = "8", value_parser = values::number::<usize>(1..=10_000))]
    parallel: usize,
    /// Print one JSON object for each target, a line each (described by schemas/probe.json)
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  tfo probe example.com                  With a TLS ClientHello to port 443
  tfo probe http://example.com/ 192.0.2.2:6379
                                         Several, each with what its service understands
  tfo probe --pq example.com             Does a post-quantum ClientHello fit into the SYN?
  tfo probe --data $'EHLO me\\r\\n' mail.example.com:25
                                         With first bytes of your own
  tfo probe - --parallel 64 --json < hosts.txt
                                         A host in each line, 64 at a time

Exit status (of several: 1 if any doesn't, then 2, then 3):
  0  it works
  1  it doesn't, or there is no connection of any kind
  2  wrong usage, a name without an address, or this machine does not attempt it: the report says what to do
  3  inconclusive, or interrupted";

fn about() -> String {
    format!(
        "Say whether Fast Open works to a host, why not, and what it saves\n\n\
         It makes a few connections to every address of each target, plain and fast ones mixed, sends a request that fits the service, \
         and waits for the first byte of the answer. The port or the URL's scheme tells the service; it is sent {}. Where neither tells, \
         it is HTTP.\n\n\
         Each verdict comes with its evidence. A cause is named only if the evidence carries it: where several are possible, all are \
         named, the likeliest first, with what would tell them apart. Further connections separate some of them: one that keeps ICMP \
         errors, one with data and no cookie, and one with small segments; with CAP_NET_RAW the packets are evidence too; of a server \
         on this machine its own sysctls and listeners are.",
        all_requests()
    )
}

fn not_empty(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("a target is a host, host:443, [2001:db8::2]:443 or a URL"),
        text => Ok(text.to_owned()),
    }
}

/// Probes every target, and prints each report as it comes.
///
/// # Errors
/// Wrong usage, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    json::failure_too(args.json, probe(args))
}

fn probe(args: &Args) -> anyhow::Result<Status> {
    let first_bytes = args.first_bytes.read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(batch::run(args, first_bytes));
    // A thread may still wait for standard input or a resolver; the program's end does not.
    runtime.shutdown_background();
    status
}
