//! What to send.

use std::io::{self, Read};
use std::thread;

use anyhow::Context;
use tokio::sync::mpsc;

/// How much of standard input is read at once: more than fits into any SYN.
const CHUNK: usize = 64 * 1024;

/// What failed when it fails.
pub(super) const READING: &str = "reading standard input";

/// What to send: all of it at once, or as it comes.
#[derive(Debug)]
pub(crate) enum Data {
    Bytes(Vec<u8>),
    Stdin(Chunks),
}

/// Standard input, piece by piece, until the sender is gone.
pub(crate) type Chunks = mpsc::Receiver<io::Result<Vec<u8>>>;

impl Data {
    /// Standard input, from now on.
    pub(crate) fn stdin() -> io::Result<Self> {
        read_stdin().map(Self::Stdin)
    }

    /// The bytes to connect with.
    pub(super) async fn first(&mut self) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Stdin(chunks) => {
                let chunk = chunks.recv().await.transpose();
                Ok(chunk.context(READING)?.unwrap_or_default())
            }
        }
    }

    /// Whether it comes piece by piece.
    pub(super) fn is_a_stream(&self) -> bool {
        matches!(self, Self::Stdin(_))
    }

    /// Where all of it comes from, if there is anything, when none was needed to connect with.
    pub(super) fn take_all(&mut self) -> Option<Chunks> {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => None,
            Self::Bytes(bytes) => {
                let (sender, chunks) = mpsc::channel(1);
                // There is room for one.
                let _ = sender.try_send(Ok(bytes.clone()));
                Some(chunks)
            }
            Self::Stdin(_) => self.take_rest(),
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
