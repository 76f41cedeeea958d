//! Sending what was not given to connect with, while the answer is received.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::data::{Chunks, READING};
use super::report::End;

/// A task of its own, so that sending goes on while the output blocks. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Upload {
    task: JoinHandle<anyhow::Result<End>>,
    progress: Arc<Progress>,
}

/// How far the task is.
#[derive(Debug, Default)]
struct Progress {
    sent: AtomicU64,
    complete: AtomicBool,
}

impl Upload {
    /// Begins to send the rest, after the server's greeting where there is to be one, and then closes this side of the connection. A
    /// server that closes without a greeting gets nothing.
    pub(super) fn start(
        mut writer: OwnedWriteHalf,
        greeting: Option<oneshot::Receiver<()>>,
        rest: Option<Chunks>,
        patience: Duration,
    ) -> Self {
        let progress = Arc::new(Progress::default());
        let of_the_task = Arc::clone(&progress);
        // Without a rest the kernel has everything already.
        progress.complete.store(rest.is_none(), Ordering::Relaxed);
        let task = tokio::spawn(async move {
            let greeted = match greeting {
                Some(greeting) => greeting.await.is_ok(),
                None => true,
            };
            if let Some(mut chunks) = rest {
                if !greeted {
                    return Ok(End::Closed);
                }
                while let Some(chunk) = chunks.recv().await {
                    let chunk = chunk.context(READING)?;
                    if let Err(end) = send(&mut writer, &chunk, patience, &of_the_task.sent).await {
                        return Ok(end);
                    }
                }
            }
            of_the_task.complete.store(true, Ordering::Relaxed);
            Ok(writer
                .shutdown()
                .await
                .map_or_else(|error| End::from(&error), |()| End::Closed))
        });
        Self { task, progress }
    }

    /// Waits until everything is sent, or can't be.
    ///
    /// # Errors
    /// The data could not be read.
    pub(super) async fn end(&mut self) -> anyhow::Result<End> {
        (&mut self.task).await?
    }

    /// Whether the kernel has taken everything.
    pub(super) fn is_complete(&self) -> bool {
        self.progress.complete.load(Ordering::Relaxed)
    }

    /// How many bytes the kernel has taken so far.
    pub(super) fn sent(&self) -> u64 {
        self.progress.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(
    writer: &mut OwnedWriteHalf,
    mut bytes: &[u8],
    patience: Duration,
    count: &AtomicU64,
) -> Result<(), End> {
    while !bytes.is_empty() {
        let written: io::Result<usize> = timeout(patience, writer.write(bytes))
            .await
            .map_err(|_| End::Silent)?;
        let n = written.map_err(|error| End::from(&error))?;
        count.fetch_add(n as u64, Ordering::Relaxed);
        bytes = &bytes[n..];
    }
    Ok(())
}
