//! Where a server's keys come from: the command line, a file, standard input or the environment.

use std::convert::Infallible;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use fastopen::{KeyRing, ParseKeyError};

use crate::hint::Hint;

const VARIABLE: &str = "TFO_KEY";

/// The options that name keys.
#[derive(Debug, clap::Args)]
pub struct KeyOptions {
    /// The server's key, and an older one whose cookies are still taken; everybody on this machine can read a command line, so
    /// better --key-file or the environment variable TFO_KEY
    #[arg(long, value_name = "KEY[,KEY]", conflicts_with = "key_file")]
    key: Option<Typed>,
    /// A file with the key, or two with a comma between them; - is standard input
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl KeyOptions {
    /// The keys of the command line, the file or the environment, in this order. Nothing of them is in an error.
    ///
    /// # Errors
    /// What was named can't be read, or holds no key.
    pub fn read(&self) -> anyhow::Result<Option<KeyRing>> {
        let (from, keys) = if let Some(Typed(keys)) = &self.key {
            ("--key".to_owned(), keys.clone())
        } else if let Some(path) = &self.key_file {
            let from = match is_standard_input(path) {
                true => "standard input".to_owned(),
                false => path.display().to_string(),
            };
            let text = read_file(path)
                .with_context(|| format!("reading the key from {from}"))
                .hint(
                    "it holds one key, or two with a comma between them, as in net.ipv4.tcp_fastopen_key",
                )?;
            (from, text.trim().parse())
        } else if let Ok(text) = env::var(VARIABLE) {
            (
                format!("the environment variable {VARIABLE}"),
                text.trim().parse(),
            )
        } else {
            return Ok(None);
        };
        keys.map(Some).with_context(|| format!("{from} holds no key"))
    }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

fn read_file(path: &Path) -> io::Result<String> {
    if is_standard_input(path) {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(path)
    }
}

/// What stood on the command line. A mistake is kept for later: clap would print the text with it.
#[derive(Clone, Debug)]
struct Typed(Result<KeyRing, ParseKeyError>);

impl FromStr for Typed {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse()))
    }
}

#[cfg(test)]
mod tests {
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
}
