//! Keys given by hand.

use std::convert::Infallible;
use std::str::FromStr;

use anyhow::{Context, bail};
use fastopen::{Key, KeyRing};

use super::report::{self, Action, Keys, Report};
use super::{Output, kernel, listener, namespaced};
use crate::hint::{self, Hint};
use crate::key_options::{self, KeyOptions, Typed};
use crate::listener_address::ListenerAddress;
use crate::namespace::Namespace;

/// Set this machine's keys: the one that makes cookies, and the one whose cookies are accepted too
///
/// What is given is checked before it is written, because the kernel drops a third key and silently accepts an empty text, and read
/// back afterwards. Every user of this machine can read command lines: prefer --key-file or TFO_KEY.
///
/// With [ADDR]:PORT the keys are set on the sockets of the listeners there, in place of the network namespace. They override the
/// namespace's until the server closes the socket, so that a listener with keys of its own takes no part in tfo keys rotate, unless with
/// --listeners.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER, override_usage = USAGE)]
pub(super) struct Args {
    /// The listeners whose keys to set, in place of the network namespace's: :443, 192.0.2.2:443 or [2001:db8::2]:443
    #[arg(value_name = "[ADDR]:PORT")]
    place: Option<Word>,
    /// The key that makes cookies
    #[arg(value_name = "PRIMARY")]
    primary: Option<Word>,
    /// The key whose cookies are accepted too
    #[arg(value_name = "BACKUP")]
    backup: Option<Word>,
    /// One more than there is room for, which is refused with a reason.
    #[arg(hide = true)]
    more: Vec<Word>,
    #[command(flatten)]
    keys: KeyOptions,
    /// In the network namespace of this process, of this name (ip netns), or of this file
    #[arg(long, value_name = "PID|NAME|PATH")]
    netns: Option<Namespace>,
    #[command(flatten)]
    pub(super) output: Output,
}

const USAGE: &str = "\
tfo keys set [OPTIONS] --key-file <FILE> [[ADDR]:PORT]
       tfo keys set [OPTIONS] [[ADDR]:PORT] <PRIMARY> [BACKUP]";

const AFTER: &str = "\
Examples:
  (umask 077; tfo keys generate > key); sudo tfo keys set --key-file key
  sudo tfo keys set :443 --key-file key  Of the listeners on port 443 alone
  ssh other sudo tfo keys show --reveal --json | jq -r '[.primary.key, .backup.key // empty] | join(\",\")' | sudo tfo keys set --key-file -
                                         The keys of another machine

Exit status:
  0  set, and read back
  2  wrong usage, no key, no such listener, or the kernel refuses: nothing has changed, unless the error says so

Environment:
  TFO_KEY  the key or keys, where nothing else names them";

impl Args {
    pub(super) fn report(&self) -> anyhow::Result<Report> {
        // The listeners may be left out: the words are told apart by what they are.
        let words = [&self.place, &self.primary, &self.backup].into_iter().flatten();
        let words: Vec<&Word> = words.chain(&self.more).collect();
        let (place, typed) = match &words[..] {
            [Word::ListenerAddress(place), keys @ ..] => (Some(place), keys),
            keys => (None, keys),
        };
        let keys = match typed {
            [] => self.keys.read()?.context("there is no key to set").hint(
                "give it with --key-file FILE (- is standard input) or in the environment variable TFO_KEY",
            )?,
            _ if self.keys.are_given() => {
                bail!("keys are given twice: by --key or --key-file, and as PRIMARY")
            }
            [primary] => KeyRing::new(primary.key("PRIMARY")?),
            [primary, backup] => KeyRing::new(primary.key("PRIMARY")?).with_backup(backup.key("BACKUP")?),
            // The words may be keys: none of them is repeated.
            more => {
                return Err(hint::with(
                    anyhow::anyhow!("there are {} keys, and the kernel has room for two", more.len()),
                    "give PRIMARY and BACKUP; a listener goes in front of them, as in: tfo keys set :443 PRIMARY BACKUP",
                ));
            }
        };
        key_options::distinct(&keys)?;
        namespaced::run(self.netns.as_ref(), "tfo keys set", || match place {
            Some(place) => listener::write(place, &keys).map(Report::Listeners),
            None => {
                kernel::check(&keys)?;
                let before = kernel::read()?;
                kernel::write(&keys)?;
                Ok(Report::Keys(Keys {
                    replaced: report::replaced(before.as_ref(), &keys),
                    ..Keys::new(Action::Set, Some(&keys), false)
                }))
            }
        })
    }
}

/// A word of the command line: no text is both a listener and a key.
#[derive(Clone, Debug)]
enum Word {
    ListenerAddress(ListenerAddress),
    Key(Typed),
}

impl Word {
    fn key(&self, name: &str) -> anyhow::Result<Key> {
        match self {
            Self::Key(typed) => typed.key().with_context(|| format!("{name} is no key")),
            Self::ListenerAddress(place) => {
                bail!("{name} is no key: {place} names a listener, which goes in front of the keys")
            }
        }
    }
}

impl FromStr for Word {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(place) => Ok(Self::ListenerAddress(place)),
            Err(_) => text.parse().map(Self::Key),
        }
    }
}
