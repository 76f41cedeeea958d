//! Keys that follow the schedule: once, or as a service.
//!
//! [`timetable`] decides when there is something to do and is pure; [`reading`] reads the secret meanwhile; [`places`] finds the network
//! namespaces and sets their keys; [`service`] waits, and [`metrics`] exports its state.

mod listeners;
mod metrics;
mod places;
mod reading;
mod service;
mod timetable;
mod visit;

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::bail;

use super::Output;
use super::derive;
use super::report::Rotated;
use super::secret::Source;
use crate::namespace::Namespace;
use crate::service::textfile;
use crate::{fingerprint, hint};
use places::Places;

/// Set this machine's keys to those of the schedule, which follow from the fleet's secret and the time
///
/// Time is counted in intervals since 1970. Each has a key of its own; the backup is the key of the interval before in the first half, and
/// of the one to come in the second, so that machines whose clocks differ by nearly half an interval accept each other's cookies. The keys
/// change two seconds after each half. This is tofurkey's schedule. With --watch it stays and changes them at each half: it reads the
/// secret again each time, and where it can't be had the keys stay as they are and it tries again. A secret file that is replaced, as the
/// kubelet does with a mounted Secret, is read within seconds, and SIGHUP makes it read the secret at once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Stay, and change the keys whenever the schedule says so
    #[arg(long)]
    watch: bool,
    /// In the network namespace of this process, of this name (ip netns), or of this file, instead of this one; may be repeated
    #[arg(long, value_name = "PID|NAME|PATH", conflicts_with = "all_namespaces")]
    netns: Vec<Namespace>,
    /// In every network namespace of this machine, those of containers that start later too
    #[arg(long)]
    all_namespaces: bool,
    /// Also on the listeners there that have keys of their own, which override those of their network namespace
    #[arg(long)]
    listeners: bool,
    /// Keep metrics in this file, for the textfile collector of Prometheus' node_exporter; with --watch
    #[arg(long, value_name = "FILE.prom", requires = "watch", value_parser = textfile::parse)]
    textfile: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  sudo tfo keys rotate --secret tfo.secret
                                         Once, as from a timer shortly after each half interval
  sudo tfo keys rotate --secret tfo.secret --watch --all-namespaces
                                         As a service, for this machine and its containers
  sudo tfo keys rotate --secret tfo.secret --watch --listeners
                                         Also on listeners with keys of their own
  sudo tfo keys rotate --secret-command 'etcdctl get --print-value-only tfo' --watch --interval 6h

Replacing the secret without losing a cookie:
Stop the rotation everywhere (systemctl stop tfo-keys), then take each step on every machine before the next one on any. All of it within
one interval, by default a day that begins at 00:00:02 UTC, and the last step as late in it as possible, so that clients that connect between
the last two keep their cookies.

    key() { tfo keys derive --secret \"$1\" | cut -d, -f1; }
    # The new key is accepted:
    echo \"$(key tfo.old),$(key tfo.new)\" |
        sudo tfo keys set --key-file -
    # The new key makes the cookies:
    echo \"$(key tfo.new),$(key tfo.old)\" |
        sudo tfo keys set --key-file -
    # The new secret's schedule:
    sudo tfo keys rotate --secret tfo.new --watch

Privileges:
  CAP_NET_ADMIN                          For the keys of this network namespace
  CAP_SYS_ADMIN, CAP_SYS_PTRACE          Also for those of others (setns, /proc/PID/ns)
  CAP_SYS_PTRACE                         For --listeners (pidfd_getfd)

Exit status:
  0  set; --watch: stopped by a signal
  2  wrong usage, no secret, a clock that was not set, or the kernel refuses

Environment:
  NOTIFY_SOCKET, WATCHDOG_USEC  set by systemd, with --watch: where to tell that it is ready and alive

Files:
  /proc/sys/net/ipv4/tcp_fastopen_key  the keys of a network namespace";

impl Args {
    /// Rotates once and reports, or until a stop is requested.
    pub(super) fn run(&self) -> anyhow::Result<Option<Rotated>> {
        self.source.check()?;
        if self.watch {
            service::run(self)?;
            return Ok(None);
        }
        let now = SystemTime::now();
        if timetable::is_unset(now) {
            return Err(hint::with(
                anyhow::anyhow!("the clock says {}: it was not set", derive::time(now)),
                "set it first (timedatectl, chronyc waitsync): keys follow from the time",
            ));
        }
        let rotation = self.source.rotation()?;
        let keys = rotation.keys(now);
        let mut places = self.places();
        let failures = places.set(&keys, || true);
        if places.count() == 0
            && let Some(failure) = failures.first()
        {
            bail!("{failure}");
        }
        Ok(Some(Rotated {
            time: derive::time(now),
            cause: "once".to_owned(),
            fingerprints: fingerprint::of_ring(&keys),
            next_change: Some(derive::time(rotation.next_change(now))),
            namespaces: places.count(),
            listeners: places.listener_count(),
            failures,
        }))
    }

    fn places(&self) -> Places {
        let places = match self.all_namespaces {
            true => Places::all(),
            false => Places::named(self.netns.clone()),
        };
        match self.listeners {
            true => places.with_listeners(),
            false => places,
        }
    }
}
