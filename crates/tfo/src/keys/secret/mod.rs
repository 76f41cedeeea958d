//! Where the fleet's secret comes from: a file, standard input, or what a command prints.

mod command;
mod decode;
#[cfg(unix)]
mod group;
#[cfg(target_os = "linux")]
mod stamp;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::ArgGroup;
use fastopen::{Rotation, Secret};
use tokio::runtime;
use zeroize::Zeroizing;

use crate::patience::{self, PATIENCE};
use crate::{printable, units};
use decode::decode;
#[cfg(target_os = "linux")]
pub(super) use stamp::Stamp;

/// The options that name the secret and the schedule.
#[derive(Clone, Debug, clap::Args)]
#[command(group(ArgGroup::new("where_the_secret_is").args(["secret", "secret_command"]).required(true)))]
pub(super) struct Source {
    /// The file with the fleet's secret: 32 bytes, as tofurkey reads them, or 64 hexadecimal digits; - is standard input
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Run this with sh, and take what it prints as the secret
    #[arg(long, value_name = "COMMAND")]
    secret_command: Option<String>,
    /// How long each key makes cookies: an even number of seconds from 10s to 7d, the same in the whole fleet
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = units::parse_time)]
    interval: Duration,
}

/// As [`Source`], for what can be done without the secret too.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OptionalSource {
    /// The file with the fleet's secret: 32 bytes, as tofurkey reads them, or 64 hexadecimal digits
    #[arg(long, value_name = "FILE", group = "named_secret")]
    secret: Option<PathBuf>,
    /// Run this with sh, and take what it prints as the secret
    #[arg(long, value_name = "COMMAND", group = "named_secret")]
    secret_command: Option<String>,
    /// How long each key makes cookies: an even number of seconds from 10s to 7d, the same in the whole fleet
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = units::parse_time)]
    interval: Duration,
}

impl OptionalSource {
    /// The schedule, if a secret was named.
    ///
    /// # Errors
    /// Those of [`Source::rotation`].
    pub(super) fn rotation(&self) -> anyhow::Result<Option<Rotation>> {
        if self.secret.is_none() && self.secret_command.is_none() {
            return Ok(None);
        }
        let source = Source {
            secret: self.secret.clone(),
            secret_command: self.secret_command.clone(),
            interval: self.interval,
        };
        source.check()?;
        source.rotation().map(Some)
    }
}

/// More bytes than a secret has in any form.
const LONGEST: u64 = 256;

impl Source {
    /// Refuses an interval that keys can't follow, before there is a secret.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        Rotation::new(Secret::new([0; Secret::LEN]), self.interval)?;
        Ok(())
    }

    /// Whether the secret can be read again and again.
    pub(super) fn is_lasting(&self) -> bool {
        self.secret.as_deref() != Some(Path::new("-"))
    }

    /// Where the secret comes from, for messages.
    pub(super) fn name(&self) -> String {
        match &self.secret {
            Some(path) if path == Path::new("-") => "standard input".to_owned(),
            Some(path) => printable::path(path),
            None => "the secret command".to_owned(),
        }
    }

    pub(super) fn is_a_file(&self) -> bool {
        self.secret.is_some()
    }

    /// The secret's file as it is now, to tell whether it was replaced or written to; `None` for a command.
    #[cfg(target_os = "linux")]
    pub(super) fn stamp(&self) -> Option<Stamp> {
        self.secret.as_deref().map(Stamp::of)
    }

    /// The schedule of the secret as it is now.
    ///
    /// # Errors
    /// The secret can't be read, others than its owner may read or write it, or it is none. They contain nothing of it.
    pub(super) fn rotation(&self) -> anyhow::Result<Rotation> {
        let secret = match (&self.secret, &self.secret_command) {
            // Somebody may type it.
            (Some(path), _) if path == Path::new("-") => self.read_secret(path)?,
            (Some(path), _) => {
                let (source, path) = (self.clone(), path.clone());
                patience::within(PATIENCE, move || source.read_secret(&path))
                    .with_context(|| format!("can't read the secret from {}", self.name()))??
            }
            (None, Some(command)) => {
                let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(from_command(command))?
            }
            (None, None) => bail!("no secret was named"),
        };
        Ok(Rotation::new(secret, self.interval)?)
    }

    /// As [`rotation`](Self::rotation), without blocking the thread: a file system or a command may take its time. Dropped before it is
    /// done it ends the command.
    pub(super) async fn rotation_in_background(self) -> anyhow::Result<Rotation> {
        match &self.secret_command {
            Some(command) => Ok(Rotation::new(from_command(command).await?, self.interval)?),
            // It waits as long as it takes: one thread, however often that is told.
            None => {
                tokio::task::spawn_blocking(move || {
                    let path = self.secret.as_deref().context("no secret was named")?;
                    Ok(Rotation::new(self.read_secret(path)?, self.interval)?)
                })
                .await?
            }
        }
    }

    fn read_secret(&self, path: &Path) -> anyhow::Result<Secret> {
        let name = self.name();
        let bytes = read_file(path).with_context(|| format!("can't read the secret from {name}"))?;
        decode(&bytes).with_context(|| format!("{name} holds no secret"))
    }
}

async fn from_command(command: &str) -> anyhow::Result<Secret> {
    #[cfg(unix)]
    let apart = !group::may_be_answered();
    #[cfg(windows)]
    let apart = false;
    let bytes = command::run(command, PATIENCE, apart)
        .await
        .context("the secret command failed")?;
    decode(&bytes).context("the secret command printed no secret")
}

fn read_file(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    if path == Path::new("-") {
        return Ok(read_some(io::stdin().lock())?);
    }
    let file = File::open(path)?;
    refuse_other_readers(&file, path)?;
    Ok(read_some(file)?)
}

#[cfg(unix)]
fn refuse_other_readers(file: &File, path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata()?;
    const OF_OTHERS: u32 = 0o006;
    const WRITABLE_BY_GROUP: u32 = 0o020;
    let mode = metadata.permissions().mode();
    if metadata.is_file() && mode & (OF_OTHERS | WRITABLE_BY_GROUP) != 0 {
        let path = printable::path(path);
        return Err(crate::hint::with(
            anyhow!(
                "its mode is {:04o}: others may read it or change it",
                mode & 0o7777
            ),
            format!("chmod go= {path}; in Kubernetes: defaultMode: 0400 in the volume"),
        ));
    }
    Ok(())
}

/// Windows has no mode that says it.
#[cfg(windows)]
fn refuse_other_readers(_: &File, _: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// Reads no more than a secret can have, into room that does not grow: what a buffer grew out of would stay in memory.
fn read_some(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST as usize));
    from.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn bytes() -> Vec<u8> {
        (100..132).collect()
    }

    fn source(path: &Path) -> Source {
        Source {
            secret: Some(path.to_owned()),
            secret_command: None,
            interval: Rotation::DEFAULT_INTERVAL,
        }
    }

    #[test]
    fn a_file_that_others_may_touch_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes()).unwrap();
        for (mode, allowed) in [
            (0o400, true),
            (0o600, true),
            (0o640, true),
            (0o644, false),
            (0o660, false),
            (0o602, false),
        ] {
            fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(source(file.path()).rotation().is_ok(), allowed, "{mode:o}");
        }
        let error = source(file.path()).rotation().unwrap_err();
        assert!(format!("{error:#}").contains("its mode is 0602"), "{error:#}");
    }

    #[test]
    fn nothing_of_the_secret_is_in_the_options() {
        let options = format!("{:?}", source(Path::new("/run/secret")));
        assert!(options.contains("/run/secret"), "{options}");
    }
}
