//! New keys and secrets.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use fastopen::{Key, Secret};
use zeroize::Zeroizing;

use super::Output;
use super::report::{Generated, Text};
use crate::{hint, printable};

/// Make a key in the form of net.ipv4.tcp_fastopen_key, or a secret for the fleet
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(super) struct Args {
    /// Make a secret for `rotate` instead: 32 random bytes, in a new file that its owner alone can read
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

const AFTER: &str = "\
Examples:
  tfo keys generate                      A key, for tfo keys set or tfo serve --key-file
  tfo keys generate --secret tfo.secret  A secret, for tfo keys rotate and tofurkey

Exit status:
  0  made
  2  wrong usage, or the file is there already or can't be written";

impl Args {
    pub(super) fn report(&self) -> anyhow::Result<Generated> {
        if let Some(path) = &self.secret {
            let name = printable::path(path);
            if path == Path::new("-") {
                return Err(hint::with(
                    anyhow::anyhow!("a secret goes into a file, and - is none"),
                    "name a file: tfo keys generate --secret tfo.secret",
                ));
            }
            let secret = random::<{ Secret::LEN }>()?;
            if let Err(error) = write_new(path, &*secret) {
                let help = help(path, &error);
                return Err(hint::with(
                    anyhow::Error::new(error).context(format!("can't write {name}")),
                    help,
                ));
            }
            return Ok(Generated {
                key: None,
                file: Some(name),
            });
        }
        let key = Key::new(*random()?);
        Ok(Generated {
            key: Some(Text(Zeroizing::new(key.to_string()))),
            file: None,
        })
    }
}

fn help(path: &Path, error: &io::Error) -> String {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => printable::path(folder),
        _ => "this folder".to_owned(),
    };
    match error.kind() {
        ErrorKind::AlreadyExists => {
            "name a file that is not there yet: a fleet that loses its secret loses every cookie".to_owned()
        }
        ErrorKind::NotFound => format!("there is no folder {folder}: make it first, or name another"),
        ErrorKind::PermissionDenied => {
            format!(
                "{folder} is not yours to write to: name a file elsewhere, or run it as the user whose it is"
            )
        }
        _ => "name a file in another folder".to_owned(),
    }
}

fn random<const LEN: usize>() -> io::Result<Zeroizing<[u8; LEN]>> {
    let mut bytes = Zeroizing::new([0; LEN]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
