//! `tfo probe`: does Fast Open work to that host, and what does it save?
//!
//! ```text
//!   method ──▶ session ──▶ evidence ──▶ judge ──▶ report ──▶ text or JSON
//!   what next   connects    values      decides   says       draws
//! ```
//!
//! [`method`] and [`judge`] are pure. `survey` probes many targets at a time, `witness` looks at packets where that is allowed.

mod evidence;
mod judge;
mod method;
mod report;
mod saving;
mod session;
mod survey;
mod targets;
mod text;
mod verdict;
mod witness;
mod words;

use std::num::{NonZeroU16, NonZeroUsize};

use crate::exchange::OpeningArgs;
use crate::status::Status;

/// Say whether Fast Open works to a host, why not, and what it saves
///
/// It makes a few connections to every address of each target, plain and fast in turn, sends a request that fits the service, and
/// waits for the first byte of the answer: an HTTP request, a TLS ClientHello, a DNS query or a Redis PING by the port or the URL's
/// scheme; an HTTP request where neither tells. Each verdict comes with its evidence, and where that does not tell two causes apart,
/// both are named. With CAP_NET_RAW the packets are evidence too.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// What to probe: host, host:443, [2001:db8::2]:443 or a URL; - reads one a line from standard input
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    /// How many connections carry data in their SYN; more are made where the odds say too little
    #[arg(short = 'n', value_name = "N", default_value = "3")]
    number: NonZeroU16,
    #[command(flatten)]
    opening: OpeningArgs,
    /// How long connecting may take, and then the silence before the answer
    #[arg(long, value_name = "TIME", default_value = "5s")]
    timeout: humantime::Duration,
    /// How many targets to probe at a time
    #[arg(long, value_name = "N", default_value = "8")]
    parallel: NonZeroUsize,
    /// Print one JSON object for each target, a line each (described by schemas/probe.json)
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  tfo probe example.com                  With a TLS ClientHello to port 443
  tfo probe http://example.com/ 192.0.2.2:6379
  tfo probe --pq example.com             Does a post-quantum ClientHello fit into the SYN?
  tfo probe --data $'EHLO me\\r\\n' mail.example.com:25
  tfo probe - --parallel 64 --json < hosts.txt

Exit status (of several: 1 if any doesn't, then 2, then 3):
  0  it works
  1  it doesn't, or there is no connection of any kind
  2  wrong usage, a name without an address, or this machine does not attempt it: the report says what to do
  3  there is no telling, or it was interrupted";

/// Probes every target, and prints each report as it comes.
///
/// # Errors
/// Wrong usage, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let opening = args.opening.opening()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(survey::run(args, opening));
    // A thread may still wait for standard input or a resolver; the program's end does not.
    runtime.shutdown_background();
    status
}
