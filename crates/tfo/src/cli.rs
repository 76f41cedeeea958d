//! The command line of `tfo`: the one definition from which help, manual pages and completions come.

#[cfg(not(target_os = "linux"))]
use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

#[cfg(not(target_os = "linux"))]
use crate::elsewhere;
use crate::status::Status;
#[cfg(target_os = "linux")]
use crate::{bench, classic, demo, doctor, enable, probe, run, send, serve, watch};
use crate::{completions, cookies, keys, man, trace};

/// See TCP Fast Open work, measure it, and find what breaks it
///
/// TCP Fast Open (RFC 7413) lets a client's first bytes travel in the SYN, so that a request and its answer cost one round trip instead
/// of two. Each command shows the evidence: what was sent, what came back, and what that means.
#[derive(Debug, Parser)]
#[command(
    name = "tfo",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_long_help = AFTER
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[cfg(not(target_os = "linux"))]
const AFTER: &str = elsewhere::AFTER;
#[cfg(target_os = "linux")]
const AFTER: &str = "\
Examples:
  tfo demo                               How it works, in a few seconds: no root, no network
  tfo doctor                             Is this machine ready, and what to change
  tfo serve --http :8080                 A server that reports how each connection arrived
  tfo send 127.0.0.1:8080 -e 'GET / HTTP/1.0\\r\\n\\r\\n'
                                         A client that reports what became of its first bytes
  sudo tfo trace --port 443              Every handshake with that port on the wire, with a verdict
  tfo watch                              The counters and connections as they change
  tfo cookies                            The cookies that the kernel has cached
  sudo tfo keys rotate --secret /etc/tfo.secret
                                         The keys that the whole fleet has at this time
  tfo probe https://example.com/         Does it work to that host, why not, and what does it save
  tfo run --report -- git fetch          A program, unchanged, with Fast Open
  sudo tfo enable :8000                  Fast Open for a server that is running
  tfo bench https://example.com/         How much it saves on that path, request by request

Exit status:
  0  it works, or what was asked is done
  1  it doesn't
  2  wrong usage, or the system lacks something: the error says what to do
  3  inconclusive

Environment:
  NO_COLOR  no colours, if it is set and not empty
  COLUMNS   the width of help, where there is no terminal

For packagers:
  tfo man DIR                      Write the manual pages into a folder
  tfo completions bash|zsh|fish|…  Print a completion script";

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(target_os = "linux")]
    Demo(demo::Args),
    #[cfg(target_os = "linux")]
    Doctor(doctor::Args),
    #[cfg(target_os = "linux")]
    Serve(serve::Args),
    #[cfg(target_os = "linux")]
    Send(send::Args),
    #[cfg(target_os = "linux")]
    Probe(probe::Args),
    #[cfg(target_os = "linux")]
    Bench(bench::Args),
    Trace(trace::Args),
    #[cfg(target_os = "linux")]
    Watch(watch::Args),
    Cookies(cookies::Args),
    #[cfg(target_os = "linux")]
    Run(run::Args),
    #[cfg(target_os = "linux")]
    Enable(enable::Enable),
    #[cfg(target_os = "linux")]
    Disable(enable::Disable),
    Keys(keys::Args),
    #[command(hide = true)]
    Completions(completions::Args),
    #[command(hide = true)]
    Man(man::Args),
    /// What needs Linux, or does not exist.
    #[cfg(not(target_os = "linux"))]
    #[command(external_subcommand)]
    Elsewhere(Vec<OsString>),
}

impl Cli {
    /// Runs the command. There is one thread when it begins, as `demo` needs it.
    ///
    /// # Errors
    /// Whatever keeps the command from giving an answer.
    pub fn run(&self) -> anyhow::Result<Status> {
        match &self.command {
            #[cfg(target_os = "linux")]
            Command::Demo(args) => demo::run(args),
            #[cfg(target_os = "linux")]
            Command::Doctor(args) => doctor::run(args),
            #[cfg(target_os = "linux")]
            Command::Serve(args) => serve::run(args),
            #[cfg(target_os = "linux")]
            Command::Send(args) => send::run(args),
            #[cfg(target_os = "linux")]
            Command::Probe(args) => probe::run(args),
            #[cfg(target_os = "linux")]
            Command::Bench(args) => bench::run(args),
            Command::Trace(args) => trace::run(args),
            #[cfg(target_os = "linux")]
            Command::Watch(args) => watch::run(args),
            Command::Cookies(args) => cookies::run(args),
            #[cfg(target_os = "linux")]
            Command::Run(args) => run::run(args),
            #[cfg(target_os = "linux")]
            Command::Enable(args) => enable::enable(args),
            #[cfg(target_os = "linux")]
            Command::Disable(args) => enable::disable(args),
            Command::Keys(args) => keys::run(args),
            Command::Completions(args) => completions::run(args, Self::command()),
            #[cfg(target_os = "linux")]
            Command::Man(args) => man::run(args, vec![Self::command(), classic::Args::command()]),
            #[cfg(not(target_os = "linux"))]
            Command::Man(args) => man::run(args, vec![Self::command()]),
            #[cfg(not(target_os = "linux"))]
            Command::Elsewhere(arguments) => Err(elsewhere::refusal(None, arguments)),
        }
    }
}
