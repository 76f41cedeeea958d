//! A server beside other work in the same program.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::connection::{self, Context, Observer};
use super::mode::Mode;
use super::report::{Arrived, Ended};

/// How many reports may wait to be received.
const WAITING: usize = 64;
/// After a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts and echoes, and reports each connection that has ended. It stops with the runtime.
pub(crate) fn in_background(listener: TcpListener, idle_timeout: Duration) -> mpsc::Receiver<Ended> {
    let (observer, ended) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let (_never, cut_off) = watch::channel(false);
        let context = Context {
            mode: Mode::Echo,
            idle_timeout,
            observer,
            cut_off,
        };
        let mut id = 0;
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Its client is gone, or this process has too many descriptors for the moment.
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            id += 1;
            tokio::spawn(connection::follow(id, stream, peer, context.clone()));
        }
    });
    ended
}

impl Observer for mpsc::Sender<Ended> {
    async fn arrived(&self, _: &Arrived) {}

    async fn ended(&self, ended: &Ended) {
        // It fails only once the receiver is gone.
        let _ = self.send(ended.clone()).await;
    }
}
