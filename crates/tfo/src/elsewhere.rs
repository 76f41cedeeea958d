//! The command on systems that are not Linux: what it has there, and what it says of the rest.

use std::ffi::OsString;

use anyhow::anyhow;

use crate::hint;

/// The verbs that ask Linux' kernel, with their subcommands that do.
const NEED_LINUX: &[(&str, &[&str])] = &[
    ("demo", &[]),
    ("doctor", &[]),
    ("serve", &[]),
    ("send", &[]),
    ("probe", &[]),
    ("bench", &[]),
    ("watch", &[]),
    ("run", &[]),
    ("enable", &[]),
    ("disable", &[]),
    ("keys", &["show", "set", "fingerprint", "rotate", "verify"]),
];

const HERE: &str =
    "what works here: tfo trace --read, tfo cookies mint and check, tfo keys generate and derive";

/// What stands below the help.
pub(crate) const AFTER: &str = "\
Examples:
  tfo trace --read capture.pcapng.gz     What became of each handshake in a capture
  tfo cookies mint --key-file key 192.0.2.1 192.0.2.2
                                         The cookie that a server grants
  tfo keys derive --secret tfo.secret    The keys that a fleet has at this time

Notes:
The other commands need Linux: demo, doctor, serve, send, probe, bench, watch, run, enable, disable,
keys show, set, fingerprint, rotate and verify.

Exit status:
  0  it works, or what was asked is done
  1  it doesn't
  2  wrong usage, or the system lacks something: the error says what to do
  3  there is no telling";

/// Why that subcommand of `parent`, or that verb, is not here.
pub(crate) fn refusal(parent: Option<&str>, arguments: &[OsString]) -> anyhow::Error {
    let name = arguments.first().map(|name| name.to_string_lossy());
    let name = name.as_deref().unwrap_or_default();
    let known = match parent {
        None => NEED_LINUX
            .iter()
            .any(|(verb, below)| below.is_empty() && *verb == name),
        Some(parent) => NEED_LINUX
            .iter()
            .any(|(verb, below)| *verb == parent && below.contains(&name)),
    };
    let command = ["tfo"]
        .into_iter()
        .chain(parent)
        .chain([name])
        .collect::<Vec<_>>();
    let command = command.join(" ");
    hint::with(
        match known {
            true => anyhow!("{command} needs Linux"),
            false => anyhow!("there is no command {command}"),
        },
        HERE,
    )
}
