//! The keys that the kernel has.

use super::report::{Action, Keys, Report};
use super::{Output, kernel, listener, namespaced};
use crate::listener_address::ListenerAddress;
use crate::namespace::Namespace;

/// Show this machine's keys, shortened, with their fingerprints
///
/// They are those of the network namespace, for all its listeners but those that have keys of their own, which are named. With [ADDR]:PORT
/// it shows the keys of the listeners there.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Show {
    /// The keys of the listeners there: :443, 192.0.2.2:443 or [2001:db8::2]:443
    #[arg(value_name = "[ADDR]:PORT")]
    listener: Option<ListenerAddress>,
    /// Show the whole keys
    #[arg(long)]
    reveal: bool,
    /// Those of the network namespace of this process, of this name (ip netns), or of this file
    #[arg(long, value_name = "PID|NAME|PATH")]
    netns: Option<Namespace>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  sudo tfo keys show
  sudo tfo keys show :443                The listeners on port 443: have they keys of their own?
  sudo tfo keys show --netns 4711        The container of process 4711
  sudo tfo keys show --reveal --json     Everything, for a program

Exit status:
  0  shown
  2  wrong usage, no such listener, or no privilege: keys are root's";

impl Show {
    pub(super) fn report(&self) -> anyhow::Result<Report> {
        namespaced::run(self.netns.as_ref(), "tfo keys show", || {
            if let Some(place) = &self.listener {
                return listener::read(place, Action::Show, self.reveal).map(Report::Listeners);
            }
            let mut keys = Keys::new(Action::Show, kernel::read()?.as_ref(), self.reveal);
            (keys.overridden_by, keys.unknown_listeners) = listener::with_own_keys()?;
            Ok(Report::Keys(keys))
        })
    }
}

/// Print a short value for each key that shows whether two machines have the same key, without revealing it
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_FINGERPRINT)]
pub(super) struct Fingerprint {
    /// Those of the listeners there
    #[arg(value_name = "[ADDR]:PORT")]
    listener: Option<ListenerAddress>,
    /// Those of the network namespace of this process, of this name (ip netns), or of this file
    #[arg(long, value_name = "PID|NAME|PATH")]
    netns: Option<Namespace>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER_FINGERPRINT: &str = "\
Examples:
  sudo tfo keys fingerprint              PRIMARY, or PRIMARY,BACKUP; none: the kernel has no key yet
  for host in a b c; do ssh $host sudo tfo keys fingerprint; done | sort | uniq -c

Exit status:
  0  printed
  2  wrong usage, no such listener, or no privilege: keys are root's";

impl Fingerprint {
    pub(super) fn report(&self) -> anyhow::Result<Report> {
        namespaced::run(self.netns.as_ref(), "tfo keys fingerprint", || {
            match &self.listener {
                Some(place) => listener::read(place, Action::Fingerprint, false).map(Report::Listeners),
                None => Ok(Report::Keys(Keys::new(
                    Action::Fingerprint,
                    kernel::read()?.as_ref(),
                    false,
                ))),
            }
        })
    }
}
