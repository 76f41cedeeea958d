//! Keys given by hand.

use anyhow::Context;
use fastopen::KeyRing;

use super::report::{Action, Keys};
use super::{Output, kernel, namespaced};
use crate::hint::Hint;
use crate::key_options::{KeyOptions, Typed};
use crate::namespace::Namespace;

/// Set this machine's keys: the one that makes cookies, and the one whose cookies are accepted too
///
/// What is given is checked before it is written, because the kernel drops a third key and silently accepts an empty text, and read
/// back afterwards. Every user of this machine can read command lines: prefer --key-file or TFO_KEY.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Args {
    /// The key that makes cookies
    #[arg(conflicts_with_all = ["key", "key_file"])]
    primary: Option<Typed>,
    /// The key whose cookies are accepted too
    backup: Option<Typed>,
    #[command(flatten)]
    keys: KeyOptions,
    /// Set those of the network namespace of this process, or of a file such as /run/netns/NAME
    #[arg(long, value_name = "PID|PATH")]
    netns: Option<Namespace>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  tfo keys generate > key; sudo tfo keys set --key-file key
  ssh other sudo tfo keys show --reveal --json | jq -r '[.primary.key, .backup.key // empty] | join(\",\")' | sudo tfo keys set --key-file -

Exit status:
  0  set, and read back
  2  wrong usage, no key, or the kernel refuses: nothing has changed";

impl Args {
    pub(super) fn report(&self) -> anyhow::Result<Keys> {
        let keys = match &self.primary {
            Some(primary) => {
                let keys = KeyRing::new(primary.key().context("PRIMARY is no key")?);
                match &self.backup {
                    Some(backup) => keys.with_backup(backup.key().context("BACKUP is no key")?),
                    None => keys,
                }
            }
            None => self.keys.read()?.context("there is no key to set").hint(
                "give it with --key-file FILE (- is standard input) or in the environment variable TFO_KEY",
            )?,
        };
        namespaced::run(self.netns.as_ref(), "tfo keys set", || kernel::write(&keys))?;
        Ok(Keys::new(Action::Set, Some(&keys), false))
    }
}
