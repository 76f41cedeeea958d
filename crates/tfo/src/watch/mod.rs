//! `tfo watch`: the counters and the sockets as they change.
//!
//! ```text
//!   kernel ──▶ Snapshot ──▶ Report ──▶ screen, text, JSON or Prometheus
//!   sampler     sockets,     rates,     only draw
//!   thread      peers        rows
//! ```
//!
//! [`tally`] finds out how one connection began, [`sockets`] and [`peers`] add them up one by one; [`report`] compares two moments. All of
//! these are pure. [`sampler`] asks the kernel, in the [namespace](crate::namespace) that is wanted.

mod lines;
mod peers;
mod prometheus;
mod report;
mod sampler;
mod screen;
mod snapshot;
mod sockets;
mod tally;
mod text;

#[cfg(test)]
mod sample;

use std::env;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::json;
use crate::namespace::Namespace;
use crate::status::Status;
use sampler::Sampler;

/// Watch the Fast Open counters and connections as they change
///
/// Shows the kernel's counters and how fast they rise, and the open connections: outgoing ones by what became of their first bytes,
/// incoming ones by how they arrived, per listener and per peer. On a terminal it fills the screen; otherwise it prints a line each
/// time. It needs no privilege.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// The time between two readings
    #[arg(long, value_name = "TIME", default_value = "1s")]
    interval: Interval,
    /// Look into the network namespace of this process, of this name (ip netns), or of this file; needs root
    #[arg(long, value_name = "PID|NAME|PATH")]
    netns: Option<Namespace>,
    /// Print one JSON object each time (described by schemas/watch.json)
    #[arg(long)]
    json: bool,
    /// Serve metrics for Prometheus at http://ADDR:PORT/metrics instead, read at each request
    #[arg(long, value_name = "ADDR:PORT", conflicts_with_all = ["json", "interval"])]
    prometheus: Option<SocketAddr>,
}

const AFTER: &str = "\
Examples:
  tfo watch                              The screen; q quits
  tfo watch --interval 10s | tee log     A line every ten seconds
  tfo watch --json | jq .incoming.unconfirmed
                                         One number each second
  tfo watch --prometheus 127.0.0.1:9413  Metrics at http://127.0.0.1:9413/metrics
  sudo tfo watch --netns 4711            The container of process 4711

Words:
  outgoing  accepted (data in the SYN accepted), no-cookie, ignored, syn-lost,
            unknown (no trace of Fast Open), connecting
  incoming  fast, unconfirmed (those of the fast whose client has not proved its address),
            plain (those that asked for a cookie included), half-open

Exit status:
  0  stopped by q, Ctrl-C or a signal
  2  wrong usage, no privilege for --netns, no such address, or a system that can't be examined";

/// Watches until a stop is requested.
///
/// # Errors
/// The namespace can't be entered, the kernel can't be read, and those of the output.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    json::failure_too(args.json, watch(args))
}

fn watch(args: &Args) -> anyhow::Result<Status> {
    let sampler = Sampler::start(args.netns.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let watched = runtime.block_on(async {
        match args.prometheus {
            Some(address) => prometheus::run(sampler, address).await,
            None if !args.json && can_be_filled() => {
                screen::run(sampler, args.interval.0, args.subject()).await
            }
            None => lines::run(sampler, args.interval.0, args.json).await,
        }
    });
    // A write to a pipe that nobody reads must not delay the end.
    runtime.shutdown_background();
    watched.map(|()| Status::Works)
}

/// Whether standard output is a terminal that can do more than take line after line.
fn can_be_filled() -> bool {
    io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

impl Args {
    /// What is watched, and how often.
    fn subject(&self) -> String {
        let namespace = match &self.netns {
            None => "this network namespace".to_owned(),
            Some(namespace) => format!("network namespace of {namespace}"),
        };
        format!(
            "{namespace}, every {}",
            humantime::format_duration(self.interval.0)
        )
    }
}

/// How often to read: not so often that it keeps the machine busy.
#[derive(Clone, Copy, Debug)]
struct Interval(Duration);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHORTEST: Duration = Duration::from_millis(100);
        let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
        if interval < SHORTEST {
            return Err(format!(
                "the shortest is {}",
                humantime::format_duration(SHORTEST)
            ));
        }
        Ok(Self(interval))
    }
}
