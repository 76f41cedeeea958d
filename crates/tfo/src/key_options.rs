//! Where a server's keys come from: the command line, a file, standard input or the environment.

use std::convert::Infallible;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::{self, FromStr};

use anyhow::Context;
use fastopen::{Key, KeyRing, ParseKeyError};

use crate::hint::Hint;
use crate::patience::{self, PATIENCE};

const VARIABLE: &str = "TFO_KEY";

/// The options that name keys.
#[derive(Debug, clap::Args)]
pub struct KeyOptions {
    /// The server's key, or two: cookies of the second one are still accepted. Prefer --key-file or the environment variable
    /// TFO_KEY, because every user of this machine can read command lines
    ///
    /// A key is 32 hexadecimal digits, as in net.ipv4.tcp_fastopen_key, with its dashes or without. To make one: tfo keys generate
    #[arg(long, value_name = "KEY[,KEY]", conflicts_with = "key_file")]
    key: Option<Typed>,
    /// A file with the key, or with two and a comma between them, as for --key; - is standard input
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeyOptions {
    /// Whether one of the options was given.
    pub(crate) fn are_given(&self) -> bool {
        self.key.is_some() || self.key_file.is_some()
    }

    /// The keys of the command line, the file or the environment, in this order. Errors contain nothing of them.
    ///
    /// # Errors
    /// What was named can't be read, or holds no key.
    pub fn read(&self) -> anyhow::Result<Option<KeyRing>> {
        let (from, keys) = if let Some(Typed(keys)) = &self.key {
            ("--key".to_owned(), keys.clone())
        } else if let Some(path) = &self.key_file {
            return read_file(path).map(Some);
        } else if let Some(text) = env::var_os(VARIABLE) {
            (
                format!("the environment variable {VARIABLE}"),
                parse(text.as_encoded_bytes()),
            )
        } else {
            return Ok(None);
        };
        found(&from, keys).map(Some)
    }
}

/// The keys in a file; `-` is standard input. Errors contain nothing of them.
///
/// # Errors
/// It can't be read, or holds no key.
pub(crate) fn read_file(path: &Path) -> anyhow::Result<KeyRing> {
    let from = match is_standard_input(path) {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    };
    let text = read_text(path).with_context(|| format!("reading the key from {from}"))?;
    found(&from, parse(&text))
}

fn found(from: &str, keys: Result<KeyRing, ParseKeyError>) -> anyhow::Result<KeyRing> {
    let keys = keys
        .with_context(|| format!("{from} holds no key"))
        .hint("to make a key: tfo keys generate")?;
    distinct(&keys).with_context(|| format!("{from} has no second key"))?;
    Ok(keys)
}

/// # Errors
/// The second key is the first one again.
pub(crate) fn distinct(keys: &KeyRing) -> anyhow::Result<()> {
    match keys.backup() {
        Some(backup) if backup == keys.primary() => Err(anyhow::anyhow!("both keys are the same"))
            .hint("give the key from before as the second one, or leave it out"),
        _ => Ok(()),
    }
}

impl Typed {
    /// The one key that was typed.
    pub(crate) fn key(&self) -> anyhow::Result<Key> {
        match &self.0 {
            Ok(keys) if keys.backup().is_none() => Ok(keys.primary().clone()),
            Ok(_) => Err(anyhow::anyhow!("there are two keys where one is expected")),
            Err(error) => Err((*error).into()),
        }
    }
}

fn parse(text: &[u8]) -> Result<KeyRing, ParseKeyError> {
    str::from_utf8(text).map_err(|_| ParseKeyError)?.trim().parse()
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// More than two keys are long, whatever stands around them.
const LONGEST: u64 = 4096;

/// Reads no more than a key file can have.
fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    if is_standard_input(path) {
        return read_some(io::stdin().lock());
    }
    let path = path.to_owned();
    patience::within(PATIENCE, move || {
        let file = File::open(&path)?;
        warn_of_other_readers(&file, &path)?;
        read_some(file)
    })?
}

fn read_some(from: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(unix)]
fn warn_of_other_readers(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    const READABLE_BY_OTHERS: u32 = 0o004;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & READABLE_BY_OTHERS != 0 {
        let path = path.display();
        crate::warning::print(format_args!(
            "every user of this machine can read the key in {path}; to change that: chmod o= {path}"
        ));
    }
    Ok(())
}

/// Windows has no mode that says it.
#[cfg(windows)]
fn warn_of_other_readers(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// The option's value. A parse error is kept for later: clap would print the value with it.
#[derive(Clone, Debug)]
pub(crate) struct Typed(Result<KeyRing, ParseKeyError>);

impl FromStr for Typed {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_mistyped_key_is_not_in_the_error() {
        let args = KeyOptions {
            key: Some("a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4dz".parse().unwrap()),
            key_file: None,
        };
        let error = format!("{:#} {args:?}", args.read().unwrap_err());
        assert!(error.starts_with("--key holds no key"), "{error}");
        assert!(!error.contains("a1a1"), "{error}");
    }

    #[test]
    fn a_file_holds_one_or_two() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "1-2-3-4,5-6-7-8\n").unwrap();
        let args = KeyOptions {
            key: None,
            key_file: Some(file.path().to_owned()),
        };
        assert_eq!(args.read().unwrap(), "1-2-3-4,5-6-7-8".parse().ok());
    }

    #[test]
    fn an_endless_file_ends_in_an_error() {
        let args = KeyOptions {
            key: None,
            key_file: Some("/dev/zero".into()),
        };
        let error = format!("{:#}", args.read().unwrap_err());
        assert!(error.starts_with("/dev/zero holds no key"), "{error}");
    }
}
