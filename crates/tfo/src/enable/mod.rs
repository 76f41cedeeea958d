//! `tfo enable` and `tfo disable`: Fast Open on the listeners of servers that are running.
//!
//! [`selection`] says which listeners are meant, [`fastopen_attach::listeners`] switches them, [`report`] says what came of it, and
//! [`text`] draws that. [`watch`] does it for as long as it runs; [`client`] is about the connections that a unit makes.

mod cgroup;
mod client;
mod report;
mod selection;
mod text;
mod watch;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use fastopen::ListenOptions;
use fastopen_attach::listeners::{self, Held};
use fastopen_host::owners::Process;
use fastopen_host::sysctl::{self, FastOpenBits};

use crate::hint;
use crate::key_options::KeyOptions;
use crate::namespace::{self, Namespace};
use crate::service::textfile;
use crate::status::Status;
use crate::{json, stdout};
use report::{Action, Report, Socket};
use selection::Selection;

/// Switch Fast Open on for servers that are running, without a restart
///
/// Sets TCP_FASTOPEN on their listening sockets through duplicates (pidfd_getfd), which are closed at once: only a server that closes a
/// listener and opens it again in that very moment finds its port in use. The server keeps running: nothing of it is restarted, and its
/// connections stay open. It lasts until the server closes the socket. It takes root, or being the user that the server runs as (where
/// kernel.yama.ptrace_scope is 0).
///
/// With --watch it stays, as a service, and switches on what comes: servers that restart, and others that start later. It looks once a
/// second for listeners that are new; a new one is plain until then. Rules in a file name ports, addresses, programs, units and network
/// namespaces, and SIGHUP has it read again. Each listener is switched once: one that somebody switches off stays off until its server opens
/// it again. When it ends, listeners stay as they are.
///
/// With --client it is about the connections that a systemd unit makes: it writes a drop-in that runs the unit's programs by tfo run.
///
/// The data in a SYN can be delivered twice: the network may repeat the SYN, and so may somebody who captured it. Switch it on where a
/// repeated first request does no harm, as with GET requests, TLS handshakes and DNS queries.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_ENABLE, override_usage = USAGE_ENABLE)]
pub struct Enable {
    #[command(flatten)]
    which: Which,
    /// How many connections may be unconfirmed at once, at most net.core.somaxconn; unless given, 1024 for listeners that have Fast
    /// Open off, and no change for others
    #[arg(long, value_name = "N", value_parser = crate::values::number::<u32>(1..=i32::MAX as u64))]
    queue: Option<u32>,
    #[command(flatten)]
    keys: KeyOptions,
    /// Stay, and switch it on for listeners that come, too: after restarts, and of servers that start later
    #[arg(long, group = "Selection")]
    watch: bool,
    /// Which listeners and how, with --watch, unless options name them [default: /etc/tfo/enable.toml]
    #[arg(long, value_name = "FILE", requires = "watch")]
    rules: Option<PathBuf>,
    /// Keep metrics in this file, for the textfile collector of Prometheus' node_exporter; with --watch
    #[arg(long, value_name = "FILE.prom", requires = "watch", value_parser = textfile::parse)]
    textfile: Option<PathBuf>,
    #[command(flatten)]
    client: client::Options,
    /// Print one JSON object (described by schemas/enable.json); with --watch a line for each event (schemas/enable-watch.json), with
    /// --client the drop-in (schemas/enable-client.json)
    #[arg(long)]
    json: bool,
}

const USAGE_ENABLE: &str = "\
tfo enable [OPTIONS] <[ADDR]:PORT|--pid <PID>|--unit <UNIT>|--all>...
       tfo enable [OPTIONS] --watch <[ADDR]:PORT|--unit <UNIT>|--all>...
       tfo enable [OPTIONS] --watch [--rules <FILE>]
       tfo enable --client --unit <UNIT>... [--dry-run] [--root <DIR>]";

const AFTER_ENABLE: &str = "\
Examples:
  sudo tfo enable :8000                  Every listener on port 8000, IPv4 and IPv6
  sudo tfo enable 192.0.2.2:80 '[::]:443'
                                         Listeners on these addresses
  sudo tfo enable --pid 4711             Those of a process, in its network namespace
  sudo tfo enable --unit nginx.service   Those of a systemd unit
  sudo tfo enable --all --netns blue     All of another network namespace
  sudo tfo enable :443 --key-file key    With a key of their own
  sudo tfo enable --watch :443 --unit nginx.service
                                         And whenever they are opened again
  sudo tfo enable --watch                The same, by the rules in /etc/tfo/enable.toml
  sudo tfo enable --client --unit haproxy --dry-run
                                         Shows what would make its connections to others fast

Rules:
The first rule that fits a listener decides; all conditions of a rule must hold. A value may be one or an array. For example:

    [[rule]]
    port = 22
    queue = 0              # no Fast Open

    [[rule]]
    port = [80, \"8000-8099\"]
    address = \"192.0.2.2\"  # where it is bound: 0.0.0.0, ::
    program = \"nginx\"      # or the path of its executable
    unit = \"nginx.service\" # or a slice
    queue = 256
    key_file = \"nginx.key\" # in the same folder

    [[rule]]
    program = \"/usr/bin/python3\"
    netns = \"all\"          # or a name (ip netns), or a file

Queue:
Each fast connection takes a place until its client has proved its address, for one round trip. 1024 places serve 10,000 new fast
connections a second at a round trip of 100 ms. When it is full, connections are plain ones.

Keys:
With --key, --key-file or a rule's key_file the listeners get keys of their own, in place of those of their network namespace, until their
server closes them. Keys that a listener had of its own are replaced for good: only their fingerprint is told.

Privileges:
  CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH  for other users' servers
  CAP_SYS_ADMIN                        for other network namespaces

Exit status:
  0  the listeners use Fast Open; --watch: stopped by a signal; --client: done
  1  something is missing: the sysctl's server bit, or some listeners could not be switched
  2  wrong usage, no such listener or unit, no privilege, or rules that make no sense

Environment:
  TFO_KEY                       the key or keys, where no option names them
  NOTIFY_SOCKET, WATCHDOG_USEC  set by systemd, with --watch: where to tell that it is ready and alive

Files:
  /etc/tfo/enable.toml                              the rules of --watch
  /etc/systemd/system/UNIT.service.d/zz-tfo-run.conf  the drop-in of --client";

/// Switch Fast Open off for servers that are running, without a restart
///
/// Undoes what tfo enable did: sets the Fast Open queue of their listening sockets to 0. Connections that are open stay so. A key
/// that a listener was given stays with it, unused, until its server closes it, and one that it had before does not come back. With
/// --client it removes the drop-in of a systemd unit.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_DISABLE, override_usage = USAGE_DISABLE)]
pub struct Disable {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    client: client::Options,
    /// Print one JSON object (described by schemas/enable.json, with --client by schemas/enable-client.json)
    #[arg(long)]
    json: bool,
}

const USAGE_DISABLE: &str = "\
tfo disable [OPTIONS] <[ADDR]:PORT|--pid <PID>|--unit <UNIT>|--all>...
       tfo disable --client --unit <UNIT>... [--dry-run] [--root <DIR>]";

const AFTER_DISABLE: &str = "\
Examples:
  sudo tfo disable :8000                 Every listener on port 8000
  sudo tfo disable --unit nginx.service  Those of a systemd unit
  sudo tfo disable --all                 All of this network namespace
  sudo tfo disable --client --unit haproxy
                                         Its connections to others are plain from its next start on

Exit status:
  0  the listeners do not use Fast Open; --client: there is no drop-in
  1  some listeners could not be switched
  2  wrong usage, no such listener, or no privilege

Files:
  /etc/systemd/system/UNIT.service.d/zz-tfo-run.conf  the drop-in of --client";

/// Which listeners are meant.
#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    selection: Selection,
    /// Look in the network namespace of this process, of this name (ip netns), or of this file; takes root
    #[arg(long, value_name = "PID|NAME|PATH")]
    netns: Option<Namespace>,
}

/// Switches them on.
///
/// # Errors
/// There is no such listener, no privilege, no key where one was named, and those of the system and of standard output.
pub fn enable(args: &Enable) -> anyhow::Result<Status> {
    json::failure_too(args.json, switch_on(args))
}

fn switch_on(args: &Enable) -> anyhow::Result<Status> {
    if args.client.are_given() {
        anyhow::ensure!(
            !args.watch && args.queue.is_none() && !args.keys.are_given(),
            "--client is about the connections that a unit makes: it has no --watch, --queue or keys"
        );
        return args.client.run(Action::Enable, &args.which.selection, args.json);
    }
    if args.watch {
        watch::run(args)?;
        return Ok(Status::Works);
    }
    let keys = args.keys.read()?;
    let action = Action::Enable;
    let report = act(action, &args.which, |held| {
        Socket::new(held, held.set_queue(queue(args.queue), keys.as_ref()))
    })?;
    print(&report, args.json)
}

/// Switches them off.
///
/// # Errors
/// As [`enable`].
pub fn disable(args: &Disable) -> anyhow::Result<Status> {
    json::failure_too(args.json, switch_off(args))
}

fn switch_off(args: &Disable) -> anyhow::Result<Status> {
    if args.client.are_given() {
        return args.client.run(Action::Disable, &args.which.selection, args.json);
    }
    let report = act(Action::Disable, &args.which, |held| {
        Socket::new(held, held.set_queue(|_| 0, None))
    })?;
    print(&report, args.json)
}

/// The length of a queue that has this one now, for what was asked: one that a server has chosen stays unless another is named.
fn queue(asked: Option<u32>) -> impl FnOnce(u32) -> u32 {
    move |before| match (asked, before) {
        (Some(asked), _) => asked,
        (None, 0) => ListenOptions::DEFAULT_QUEUE,
        (None, before) => before,
    }
}

fn act(action: Action, which: &Which, switch: impl Fn(&Held) -> Socket) -> anyhow::Result<Report> {
    let entered = which.enter(action)?;
    let all = listeners::list()?;
    let chosen: Vec<&Held> = all.iter().filter(|held| which.selection.includes(held)).collect();
    if chosen.is_empty() {
        return Err(which.selection.nothing_found(&all));
    }
    let absent = which.selection.without(&chosen);
    let sockets: Vec<Socket> = chosen.into_iter().map(switch).collect();
    let server_bit = sysctl::fast_open()?.map(|bits| (bits, bits.contains(FastOpenBits::SERVER)));
    let mut report = Report::new(action, sockets, &absent, server_bit, entered.as_ref());
    let others = all.iter().filter(|held| !which.selection.includes(held));
    report.beside = others
        .filter(|held| held.listener.fast_open_queue != Some(0))
        .map(|held| held.listener.address)
        .collect();
    if report.none_was_permitted() {
        let error = anyhow::anyhow!(report.first_error().unwrap_or_default().to_owned());
        return Err(match rustix::process::geteuid().is_root() {
            true => error,
            false => hint::with(
                error,
                format!(
                    "run it as root: sudo tfo {} {}",
                    action.verb(),
                    which.selection.typed()
                ),
            ),
        });
    }
    Ok(report)
}

impl Which {
    /// Enters the namespace that was named, or that of the process whose listeners are meant.
    fn enter(&self, action: Action) -> anyhow::Result<Option<Namespace>> {
        let namespace = match (&self.netns, self.selection.processes()) {
            (Some(named), _) => Some(named.clone()),
            (None, []) => None,
            (None, [pid, others @ ..]) => {
                let theirs = namespace_of(*pid, action)?;
                for other in others {
                    anyhow::ensure!(
                        namespace_of(*other, action)? == theirs,
                        "the processes {pid} and {other} are in different network namespaces: call it once for each"
                    );
                }
                let own = fs::read_link("/proc/thread-self/ns/net")
                    .context("can't look at this process (/proc)")?;
                (theirs != own).then_some(Namespace::Process(*pid))
            }
        };
        if let Some(namespace) = &namespace {
            namespace.enter(&format!("tfo {}", action.verb()))?;
        }
        Ok(namespace)
    }
}

fn namespace_of(process: u32, action: Action) -> anyhow::Result<PathBuf> {
    let error = match fs::read_link(format!("/proc/{process}/ns/net")) {
        Ok(namespace) => return Ok(namespace),
        Err(error) => error,
    };
    let hint = match (error.kind(), rustix::process::geteuid().is_root()) {
        (ErrorKind::NotFound, _) => "ss -ltnp shows the processes that listen".to_owned(),
        (ErrorKind::PermissionDenied, false) => {
            format!("run it as root: sudo tfo {} --pid {process}", action.verb())
        }
        (ErrorKind::PermissionDenied, true) => format!(
            "{}; or name the port, if it is in this network namespace: tfo {} :PORT",
            namespace::TRACING,
            action.verb()
        ),
        _ => return Err(error).with_context(|| format!("can't look at process {process}")),
    };
    let what = match error.kind() {
        ErrorKind::NotFound => format!("there is no process {process}"),
        _ => format!("can't look at process {process}"),
    };
    Err(hint::with(anyhow::Error::new(error).context(what), hint))
}

fn print(report: &Report, as_json: bool) -> anyhow::Result<Status> {
    let mut out = stdout::lock();
    if as_json {
        json::line(&mut out, report)?;
    } else {
        text::report(report, &mut out)?;
    }
    Ok(match report.works {
        true => Status::Works,
        false => Status::Fails,
    })
}

/// The distinct processes among these, in order.
fn distinct<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Vec<&'a Process> {
    processes
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
