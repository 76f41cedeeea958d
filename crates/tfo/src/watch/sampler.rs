//! A thread that takes snapshots in a network namespace, whenever it is asked to.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use super::snapshot::Snapshot;
use crate::namespace::Namespace;

type Answer = Result<Arc<Snapshot>, String>;

/// How many may ask at the same time before others have to wait.
const WAITING: usize = 64;

/// Where to ask for snapshots. The thread ends with the last of these.
#[derive(Clone, Debug)]
pub(super) struct Sampler(mpsc::Sender<oneshot::Sender<Answer>>);

impl Sampler {
    /// Starts the thread, in another namespace than the caller's if one is given.
    pub(super) fn start(namespace: Option<Namespace>) -> anyhow::Result<Self> {
        let (sender, mut requests) = mpsc::channel(WAITING);
        let (entered_sender, entered) = std::sync::mpsc::sync_channel(1);
        thread::Builder::new().name("sampler".to_owned()).spawn(move || {
            let result = namespace.map_or(Ok(()), |namespace| namespace.enter("tfo watch"));
            let has_entered = result.is_ok();
            let _ = entered_sender.send(result);
            if has_entered {
                answer(&mut requests);
            }
        })?;
        entered
            .recv()
            .context("the thread that takes snapshots ended")??;
        Ok(Self(sender))
    }

    /// Takes one now. Those who ask while one is being taken share the next.
    pub(super) async fn snapshot(&self) -> anyhow::Result<Arc<Snapshot>> {
        const ENDED: &str = "the thread that takes snapshots ended";
        let (sender, answer) = oneshot::channel();
        self.0.send(sender).await.context(ENDED)?;
        answer.await.context(ENDED)?.map_err(|problem| anyhow!(problem))
    }

    /// Takes one at once and then one every so often, until the receiver is gone or one fails.
    pub(super) fn every(self, period: Duration) -> mpsc::Receiver<anyhow::Result<Arc<Snapshot>>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let snapshot = self.snapshot().await;
                let failed = snapshot.is_err();
                if sender.send(snapshot).await.is_err() || failed {
                    return;
                }
            }
        });
        receiver
    }
}

fn answer(requests: &mut mpsc::Receiver<oneshot::Sender<Answer>>) {
    while let Some(first) = requests.blocking_recv() {
        let mut askers = vec![first];
        while let Ok(another) = requests.try_recv() {
            askers.push(another);
        }
        let answer = Snapshot::take().map(Arc::new).map_err(|error| error.to_string());
        for asker in askers {
            // It fails for one that has stopped waiting.
            let _ = asker.send(answer.clone());
        }
    }
}
