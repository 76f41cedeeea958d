//! Printing on a thread of its own, so that a blocked terminal or pipe does not block the server.

use std::io;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;

use super::report::Event;
use super::text;
use crate::server::{Arrived, Ended, Observer};
use crate::{json, stdout};

/// How many events may wait to be printed before connections have to wait, too.
const WAITING: usize = 4096;

/// Takes events; clones take them to the same place.
#[derive(Clone, Debug)]
pub(super) struct Printer(mpsc::Sender<Event>);

impl Printer {
    pub(super) async fn print(&self, event: Event) {
        // Fails only when nothing can be printed any more, which the server learns from `stopped`.
        let _ = self.0.send(event).await;
    }

    /// Waits until nothing can be printed any more.
    pub(super) async fn stopped(&self) {
        self.0.closed().await;
    }
}

impl Observer for Printer {
    async fn arrived(&self, arrived: &Arrived) {
        self.print(Event::Arrived(arrived.clone())).await;
    }

    async fn ended(&self, ended: &Ended) {
        self.print(Event::Ended(ended.clone())).await;
    }
}

/// The thread that prints. It ends when every [`Printer`] is gone.
pub(super) type Thread = JoinHandle<io::Result<()>>;

pub(super) fn start(as_json: bool) -> io::Result<(Printer, Thread)> {
    let (sender, mut events) = mpsc::channel(WAITING);
    let thread = thread::Builder::new().name("printer".to_owned()).spawn(move || {
        let mut out = stdout::lock();
        while let Some(event) = events.blocking_recv() {
            match as_json {
                true => json::line(&mut out, &event)?,
                false => text::event(&mut out, &event)?,
            }
        }
        Ok(())
    })?;
    Ok((Printer(sender), thread))
}
