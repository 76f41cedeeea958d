//! The secret as it is read, while the service goes on.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastopen::Rotation;
use tokio::sync::Notify;
use tokio::task::{self, JoinHandle};
use tokio::time;

use super::super::secret::Source;
use super::timetable::Cause;
use crate::patience::PATIENCE;

/// The secret is being read.
#[derive(Debug)]
pub(super) struct Reading {
    cause: Cause,
    task: JoinHandle<anyhow::Result<Rotation>>,
    since: Instant,
    was_told: bool,
}

impl Reading {
    pub(super) fn start(source: &Source, cause: Cause) -> Self {
        Self {
            cause,
            task: tokio::spawn(source.clone().rotation_in_background()),
            since: Instant::now(),
            was_told: false,
        }
    }

    /// Whether it takes too long, which is told once. A command is ended before, so that it is a file system that does not answer.
    pub(super) fn is_newly_late(&mut self) -> bool {
        let is_late = !self.was_told && self.since.elapsed() > PATIENCE + Duration::from_secs(1);
        self.was_told |= is_late;
        is_late
    }
}

/// Waits until it is read, and gives what came of it. Where nothing is being read it never ends.
pub(super) async fn done(reading: &mut Option<Reading>) -> (Cause, anyhow::Result<Rotation>) {
    let Some(running) = reading else {
        return pending().await;
    };
    let read = (&mut running.task)
        .await
        .unwrap_or_else(|error| Err(error.into()));
    let cause = running.cause;
    *reading = None;
    (cause, read)
}

/// Notifies when the secret's file is replaced, written to or removed.
pub(super) fn watch(source: &Source, interval: Duration) -> Arc<Notify> {
    let changed = Arc::new(Notify::new());
    if source.is_a_file() {
        tokio::spawn(notify(source.clone(), interval, Arc::clone(&changed)));
    }
    changed
}

async fn notify(source: Source, interval: Duration, changed: Arc<Notify>) {
    let mut last = None;
    loop {
        let source = source.clone();
        // A file system may take its time.
        let Ok(stamp) = task::spawn_blocking(move || source.stamp()).await else {
            return;
        };
        if last.as_ref().is_some_and(|last| *last != stamp) {
            changed.notify_one();
        }
        last = Some(stamp);
        time::sleep(interval).await;
    }
}
