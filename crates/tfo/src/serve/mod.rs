//! `tfo serve`: a server that tells how each connection arrived.
//!
//! `server` accepts, `connection` follows one connection from its arrival to its end, `mode` is what it does with the bytes (`echo`,
//! `discard`, `http`). All of them make the `report`, which `printer` hands to the `text` or the JSON renderer.

mod background;
mod connection;
mod conversation;
pub(crate) mod descriptors;
mod discard;
mod echo;
mod http;
mod mode;
mod printer;
mod report;
mod server;
mod text;

use fastopen::{ListenError, ListenOptions, Listening};
use tokio::net::TcpListener;

use crate::address::Address;
use crate::hint;
use crate::key_options::KeyOptions;
use crate::status::Status;
use mode::Mode;
use report::Started;

pub(crate) use background::in_background;
pub(crate) use report::Ended;
pub(crate) use text::{arrival, proof};

/// Run a server that tells how each connection arrived
///
/// It answers with what it gets (echo), and prints for each connection whether it was fast, what its SYN carried, when the client
/// proved that it is real, and how it ended. Ctrl-C lets running connections end and prints a summary; a second one ends at once.
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
    /// How many fast connections may be unconfirmed at once; 0 switches Fast Open off
    #[arg(long, value_name = "N", default_value_t = ListenOptions::DEFAULT_QUEUE)]
    queue: u32,
    #[command(flatten)]
    keys: KeyOptions,
    /// For how long a fast connection may stay unconfirmed; the kernel rounds it up to 3s, 7s, 15s, 31s, 63s or 127s
    #[arg(long, value_name = "TIME")]
    handshake_timeout: Option<humantime::Duration>,
    /// Close connections on which nothing has moved for this long
    #[arg(long, value_name = "TIME", default_value = "60s")]
    idle_timeout: humantime::Duration,
    /// Share the port with other servers that do the same
    #[arg(long)]
    reuse_port: bool,
    /// Print one JSON object per event: listening, arrived, ended, summary
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  tfo serve                              Echo on port 2222
  tfo serve --http 127.0.0.1:8080        Then, twice: curl --tcp-fastopen http://127.0.0.1:8080/
  tfo serve --key-file /run/secrets/tfo  With keys that other servers share
  tfo serve --json | jq 'select(.event == \"ended\")'

Exit status:
  0  stopped by Ctrl-C or SIGTERM
  2  wrong usage, or it can't listen there";

/// Serves until it is asked to stop.
///
/// # Errors
/// There can be no listener, or nobody reads standard output any more.
pub fn run(args: &Args) -> anyhow::Result<Status> {
    let options = args.options()?;
    descriptors::raise_limit();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(args, &options))?;
    Ok(Status::Works)
}

async fn serve(args: &Args, options: &ListenOptions) -> anyhow::Result<()> {
    let Listening { listener, warnings } = listen(&args.address, options).await?;
    let started = Started {
        address: listener.local_addr()?,
        mode: args.mode(),
        queue: args.queue,
        warnings: warnings.iter().map(ToString::to_string).collect(),
    };
    server::run(
        listener,
        started,
        args.idle_timeout.into(),
        printer::start(args.json)?,
    )
    .await
}

impl Args {
    fn options(&self) -> anyhow::Result<ListenOptions> {
        let mut options = ListenOptions::new()
            .with_queue(self.queue)
            .with_reuse_port(self.reuse_port);
        if let Some(keys) = self.keys.read()? {
            options = options.with_keys(keys);
        }
        if let Some(timeout) = self.handshake_timeout {
            options = options.with_handshake_timeout(timeout.into());
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

/// Listens on every address when none is given, over IPv6 and IPv4 where the system has both.
///
/// # Errors
/// There can be no listener; with a hint.
pub(crate) async fn listen(
    address: &Address,
    options: &ListenOptions,
) -> anyhow::Result<Listening<TcpListener>> {
    try_to_listen(address, options)
        .await
        .map_err(|error| with_hint(error, address))
}

async fn try_to_listen(
    address: &Address,
    options: &ListenOptions,
) -> Result<Listening<TcpListener>, ListenError> {
    if let Some(host) = &address.host {
        return options.listen_tokio((host.as_str(), address.port)).await;
    }
    match options.listen_tokio(("::", address.port)).await {
        Err(error) if lacks_ipv6(&error) => options.listen_tokio(("0.0.0.0", address.port)).await,
        listening => listening,
    }
}

/// Whether the error may be that this system has no IPv6; it has several ways to say so.
fn lacks_ipv6(error: &ListenError) -> bool {
    use std::io::ErrorKind::{AddrInUse, PermissionDenied};
    !matches!(error.kind(), AddrInUse | PermissionDenied)
}

fn with_hint(error: ListenError, address: &Address) -> anyhow::Error {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    let port = address.port;
    let hint = match error.kind() {
        AddrInUse => format!("choose another port, or find out who has this one: ss -ltnp 'sport = :{port}'"),
        AddrNotAvailable => "choose an address that this machine has: see ip address".to_owned(),
        PermissionDenied => "choose a port from 1024 up, or run it as root".to_owned(),
        _ => match error {
            ListenError::Resolve(_) | ListenError::NoAddress => {
                "choose an IP address that this machine has: see ip address".to_owned()
            }
            _ => return error.into(),
        },
    };
    hint::with(error, hint)
}
