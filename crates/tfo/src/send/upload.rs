//! Sending what did not go with the connecting, beside receiving the answer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::data::Chunks;
use super::report::End;

/// A task of its own, so that sending goes on while the answer waits for whoever reads it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Upload {
    task: JoinHandle<anyhow::Result<End>>,
    sent: Arc<AtomicU64>,
}

impl Upload {
    /// Begins to send the rest, and then says that no more will come.
    pub(super) fn start(mut writer: OwnedWriteHalf, rest: Option<Chunks>, patience: Duration) -> Self {
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            if let Some(mut chunks) = rest {
                while let Some(chunk) = chunks.recv().await {
                    let chunk = chunk.context("reading standard input")?;
                    if let Err(end) = send(&mut writer, &chunk, patience, &count).await {
                        return Ok(end);
                    }
                }
            }
            Ok(writer
                .shutdown()
                .await
                .map_or_else(|error| End::from(&error), |()| End::Closed))
        });
        Self { task, sent }
    }

    /// Waits until all is sent, or can't be.
    ///
    /// # Errors
    /// The data could not be read.
    pub(super) async fn end(&mut self) -> anyhow::Result<End> {
        (&mut self.task).await?
    }

    /// How many bytes the kernel has taken so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
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
