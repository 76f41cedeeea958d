//! A server beside other work in the same program.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::connection::{self, Context};
use super::mode::Mode;
use super::printer::Printer;
use super::report::Ended;

/// How many may have ended before anybody asks.
const WAITING: usize = 64;

/// Echoes, and tells of each connection when it has ended. It stops with the runtime.
pub(crate) fn in_background(listener: TcpListener, idle_timeout: Duration) -> mpsc::Receiver<Ended> {
    let (sender, ended) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let (_never, cut_off) = watch::channel(false);
        let context = Context {
            mode: Mode::Echo,
            idle_timeout,
            printer: Printer::silent(),
            cut_off,
        };
        let mut id = 0;
        while let Ok((stream, peer)) = listener.accept().await {
            id += 1;
            let connection = connection::follow(id, stream, peer, context.clone());
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(connection.await).await });
        }
    });
    ended
}
