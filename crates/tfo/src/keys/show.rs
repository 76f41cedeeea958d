//! The keys that the kernel has.

use super::report::{Action, Keys};
use super::{Output, kernel, namespaced};
use crate::namespace::Namespace;

/// Show this machine's keys, shortened, with their fingerprints
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Show {
    /// Show the whole keys
    #[arg(long)]
    reveal: bool,
    /// Those of the network namespace of this process, or of a file such as /run/netns/NAME
    #[arg(long, value_name = "PID|PATH")]
    netns: Option<Namespace>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  sudo tfo keys show
  sudo tfo keys show --netns 4711        The container of process 4711
  sudo tfo keys show --reveal --json     Everything, for a program

Exit status:
  0  shown
  2  wrong usage, or no privilege: keys are root's";

impl Show {
    pub(super) fn report(&self) -> anyhow::Result<Keys> {
        let keys = namespaced::run(self.netns.as_ref(), "tfo keys show", kernel::read)?;
        Ok(Keys::new(Action::Show, keys.as_ref(), self.reveal))
    }
}

/// Print a short value for each key that shows whether two machines have the same key, without revealing it
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_FINGERPRINT)]
pub(super) struct Fingerprint {
    /// Those of the network namespace of this process, or of a file such as /run/netns/NAME
    #[arg(long, value_name = "PID|PATH")]
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
  2  wrong usage, or no privilege: keys are root's";

impl Fingerprint {
    pub(super) fn report(&self) -> anyhow::Result<Keys> {
        let keys = namespaced::run(self.netns.as_ref(), "tfo keys fingerprint", kernel::read)?;
        Ok(Keys::new(Action::Fingerprint, keys.as_ref(), false))
    }
}
