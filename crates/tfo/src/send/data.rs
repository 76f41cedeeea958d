//! What to send.

use std::io::{self, Read};
use std::num::NonZeroU32;
use std::thread;

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use super::escapes;
use crate::hint::Hint;

/// How much of standard input is read at once: more than fits into any SYN.
const CHUNK: usize = 64 * 1024;

/// What to send: all of it at once, or as it comes.
#[derive(Debug)]
pub(crate) enum Data {
    Bytes(Vec<u8>),
    Stdin(Chunks),
}

/// Standard input, piece by piece, until the sender is gone.
pub(crate) type Chunks = mpsc::Receiver<io::Result<Vec<u8>>>;

impl Data {
    /// What the command line says.
    pub(super) fn new(data: Option<&str>, with_escapes: bool, repeat: NonZeroU32) -> anyhow::Result<Self> {
        match data {
            Some("-") if repeat.get() > 1 => {
                bail!("standard input can be read only once, so it can't be sent {repeat} times")
            }
            Some("-") => Ok(Self::Stdin(read_stdin()?)),
            Some(text) if with_escapes => {
                let bytes = escapes::unescape(text)
                    .with_context(|| format!("in {text:?}"))
                    .hint("a backslash itself is written as \\\\")?;
                Ok(Self::Bytes(bytes))
            }
            data => Ok(Self::Bytes(data.unwrap_or_default().into())),
        }
    }

    /// The bytes to connect with.
    pub(super) async fn first(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Stdin(chunks) => Ok(chunks.recv().await.transpose()?.unwrap_or_default()),
        }
    }

    /// Where the rest comes from. There is none the next time.
    pub(super) fn take_rest(&mut self) -> Option<Chunks> {
        match std::mem::replace(self, Self::Bytes(Vec::new())) {
            Self::Stdin(chunks) => Some(chunks),
            bytes => {
                *self = bytes;
                None
            }
        }
    }
}

/// On a thread of its own: a terminal may keep the read waiting for ever.
fn read_stdin() -> io::Result<Chunks> {
    let (sender, chunks) = mpsc::channel(4);
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = match stdin.read(&mut chunk) {
                Ok(0) => return,
                Ok(n) => {
                    chunk.truncate(n);
                    Ok(chunk)
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(chunks)
}
