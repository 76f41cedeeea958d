//! Accepting connections until it is time to stop.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::printer::{Printer, Thread};
use super::report::{Event, Started, Summary};
use super::shortage::Shortage;
use super::text;
use crate::interrupt::Interrupt;
use crate::server::{self, Context, Ended};

/// How long to wait when there is no descriptor for another connection. New ones wait in the backlog.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until a stop is requested, or nobody reads what it prints.
pub(super) async fn run(
    listener: TcpListener,
    started: Started,
    idle_timeout: Duration,
    (printer, thread): (Printer, Thread),
) -> anyhow::Result<()> {
    let mut interrupt = Interrupt::new().context("watching for Ctrl-C")?;
    let (cut_off, receiver) = watch::channel(false);
    let context = Context {
        mode: started.mode,
        idle_timeout,
        observer: printer.clone(),
        cut_off: receiver,
    };
    printer.print(Event::Listening(started)).await;
    let mut connections = Connections::new(context);
    let gracefully = tokio::select! {
        () = connections.accept_from(listener) => true,
        () = interrupt.stop_requested() => true,
        () = printer.stopped() => false,
    };
    if gracefully {
        connections.say_what_is_open();
        tokio::select! {
            () = connections.end() => {}
            () = interrupt.stop_requested() => {}
            () = printer.stopped() => {}
        }
    }
    cut_off.send_replace(true);
    connections.end().await;
    printer.print(Event::Summary(connections.into_summary())).await;
    drop(printer);
    let printed = tokio::task::spawn_blocking(move || thread.join()).await?;
    printed.map_err(|_| anyhow::anyhow!("the thread that prints panicked"))??;
    Ok(())
}

/// Those that are open, and the sum of those that were.
struct Connections {
    context: Context<Printer>,
    open: JoinSet<Ended>,
    count: u64,
    summary: Summary,
}

impl Connections {
    fn new(context: Context<Printer>) -> Self {
        Self {
            context,
            open: JoinSet::new(),
            count: 0,
            summary: Summary::default(),
        }
    }

    /// Never returns. The listener closes when the future is dropped.
    async fn accept_from(&mut self, listener: TcpListener) {
        let mut paused_until = None;
        let mut shortage = Shortage::default();
        loop {
            tokio::select! {
                accepted = listener.accept(), if paused_until.is_none() => match accepted {
                    Ok((stream, peer)) => self.add(stream, peer),
                    Err(error) if is_the_clients_fault(&error) => {}
                    Err(error) => {
                        let now = Instant::now();
                        if shortage.failed(now) {
                            text::cannot_accept(&error);
                        }
                        paused_until = Some(now + PAUSE);
                    }
                },
                () = sleep_until(paused_until), if paused_until.is_some() => paused_until = None,
                () = sleep_until(shortage.over_at()), if shortage.over_at().is_some() => {
                    if let Some(time) = shortage.end() {
                        text::accepts_again(time);
                    }
                }
                Some(ended) = self.open.join_next() => self.note(ended),
            }
        }
    }

    fn add(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.count += 1;
        self.open
            .spawn(server::follow(self.count, stream, peer, self.context.clone()));
    }

    /// Waits until none is open.
    async fn end(&mut self) {
        while let Some(ended) = self.open.join_next().await {
            self.note(ended);
        }
    }

    fn note(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        if let Ok(ended) = ended {
            self.summary.add(&ended);
        }
    }

    fn say_what_is_open(&self) {
        if !self.open.is_empty() {
            text::stopping(self.open.len());
        }
    }

    fn into_summary(self) -> Summary {
        self.summary
    }
}

/// Whether the error is that of a connection which ended before it was accepted.
fn is_the_clients_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// Waits until then; not at all without a time.
async fn sleep_until(until: Option<Instant>) {
    if let Some(until) = until {
        time::sleep_until(until).await;
    }
}
