//! `tfo serve`: a server that reports how each connection arrived.
//!
//! `accept` takes connections, and [`crate::server`] follows each one from its arrival to its end. What happens goes to the `printer`,
//! which hands it to the `text` or the JSON renderer.

mod accept;
mod printer;
mod report;
mod shortage;
mod text;

use std::time::Duration;

use fastopen::{ListenOptions, ListenWarning, Listening};

use crate::address::Address;
use crate::key_options::KeyOptions;
use crate::server::{self, Mode};
use crate::status::Status;
use crate::{descriptors, json, program, stdout, units};
use report::{Event, Failed, Started};

/// Run a server that reports how each connection arrived
///
/// It sends back what it receives (echo), and prints for each connection whether it was fast, what its SYN carried, when the client
/// proved its address by completing the handshake, and how it ended.
///
/// Ctrl-C or SIGTERM stops accepting, waits for open connections to end and prints a summary; a second one ends at once.
///
/// TIME is a number with a unit: 250ms, 10s, 2m.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Where to listen: 2222, :2222, 127.0.0.1:2222 or name:2222; without a host on every address, IPv6 and IPv4
    #[arg(default_value = ":2222", value_name = "ADDR")]
    address: Address,
    /// Answer HTTP/1.1 requests, with a page that says how the request arrived
    #[arg(long)]
    http: bool,
    /// Read everything and answer nothing
    #[arg(long, conflicts_with = "http")]
    discard: bool,
    /// How many fast connections may be unconfirmed at once; 0 switches Fast Open off, and net.core.somaxconn is the limit
    #[arg(long, value_name = "N", default_value_t = ListenOptions::DEFAULT_QUEUE, value_parser = crate::values::number::<u32>(0..=u32::MAX.into()))]
    queue: u32,
    #[command(flatten)]
    keys: KeyOptions,
    /// How long a client has to complete the handshake; the kernel rounds it up to 3s, 7s, 15s, 31s, 63s or 127s
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = units::parse_time)]
    handshake_timeout: Duration,
    /// Close connections on which nothing was sent or received for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::parse_time)]
    idle_timeout: Duration,
    /// Share the port with other servers that do the same
    #[arg(long)]
    reuse_port: bool,
    /// Print one JSON object for each event: listening, arrived, ended, summary, failed (described by schemas/serve.json)
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  tfo serve                              Echo on port 2222
  tfo serve --http 127.0.0.1:8080        Pages that say how their request arrived
  curl --tcp-fastopen http://127.0.0.1:8080/
                                         Asks for one: the second time in the SYN
  tfo serve --key-file /run/secrets/tfo  With keys that other servers share
  tfo serve --json | jq 'select(.event == \"ended\")'
                                         How each connection ended, for a program

Exit status:
  0  stopped by Ctrl-C or SIGTERM
  2  wrong usage, or it can't listen there

Environment:
  TFO_KEY  the key or keys, where no option names them";

/// Serves until a stop is requested.
///
/// # Errors
/// There can be no listener, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let served = listen_and_serve(args);
    match &served {
        Err(error) if args.json && !stdout::was_closed(error) => {
            let error = program::message(error);
            json::line(&mut stdout::lock(), &Event::Failed(Failed { error }))?;
        }
        _ => {}
    }
    served.map(|()| Status::Works)
}

fn listen_and_serve(args: &Args) -> anyhow::Result<()> {
    let options = args.options()?;
    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args, &options))
}

async fn serve(args: &Args, options: &ListenOptions) -> anyhow::Result<()> {
    let Listening {
        listener, warnings, ..
    } = server::listen(&args.address, options).await?;
    let capped = warnings.iter().find_map(|warning| match warning {
        ListenWarning::QueueCapped { got, .. } => Some(*got),
        _ => None,
    });
    let started = Started {
        address: listener.local_addr()?,
        mode: args.mode(),
        queue: capped.unwrap_or(args.queue),
        warnings: warnings.iter().map(ToString::to_string).collect(),
    };
    let printer = printer::start(args.json)?;
    accept::run(listener, started, args.idle_timeout, printer).await
}

impl Args {
    fn options(&self) -> anyhow::Result<ListenOptions> {
        let mut options = ListenOptions::new()
            .with_queue(self.queue)
            .with_reuse_port(self.reuse_port)
            .with_handshake_timeout(self.handshake_timeout);
        if let Some(keys) = self.keys.read()? {
            options = options.with_keys(keys);
        }
        Ok(options)
    }

    fn mode(&self) -> Mode {
        match (self.http, self.discard) {
            (true, _) => Mode::Http,
            (_, true) => Mode::Discard,
            _ => Mode::Echo,
        }
    }
}
