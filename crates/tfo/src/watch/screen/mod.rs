//! The terminal's whole screen.

mod counters;
mod draw;
mod grid;
mod palette;
mod state;
mod table;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::report::Report;
use super::sampler::Sampler;
use super::snapshot::Snapshot;
use super::text;
use crate::interrupt::Interrupt;
use crate::stdout;
use palette::Palette;
use state::{Next, State};

/// Fills the screen until a stop is requested; then the screen is as it was, with a summary below.
pub(super) async fn run(sampler: Sampler, period: Duration, subject: String) -> anyhow::Result<()> {
    let interrupt = Interrupt::new()?;
    let leaving = Leaving::new()?;
    // It also restores the terminal before a panic's message is printed.
    let terminal = ratatui::try_init().context("preparing the terminal")?;
    let watched = watch(
        terminal,
        sampler.every(period),
        State::new(subject),
        interrupt,
        leaving,
    )
    .await;
    ratatui::try_restore().context("restoring the terminal")?;
    match watched? {
        Some([first, last]) => Ok(text::summary(
            &Report::new(Some(&first), &last),
            &mut stdout::lock(),
        )?),
        None => Ok(()),
    }
}

/// Gives the first snapshot and the last.
async fn watch(
    mut terminal: DefaultTerminal,
    mut snapshots: mpsc::Receiver<anyhow::Result<Arc<Snapshot>>>,
    mut state: State,
    mut interrupt: Interrupt,
    mut leaving: Leaving,
) -> anyhow::Result<Option<[Arc<Snapshot>; 2]>> {
    let palette = Palette::from_environment();
    let mut input = read_input()?;
    let mut ends: Option<[Arc<Snapshot>; 2]> = None;
    loop {
        terminal.draw(|frame| draw::screen(frame, &mut state, palette))?;
        tokio::select! {
            () = interrupt.stop_requested() => return Ok(ends),
            () = leaving.requested() => return Ok(ends),
            event = input.recv() => match event.transpose()? {
                Some(event) if state.handle(&event) == Next::Stay => {}
                _ => return Ok(ends),
            },
            snapshot = snapshots.recv() => {
                let Some(now) = snapshot.transpose()? else { return Ok(ends) };
                let before = ends.as_ref().map(|[_, before]| &**before);
                state.report = Some(Report::new(before, &now));
                let first = ends.map_or_else(|| now.clone(), |[first, _]| first);
                ends = Some([first, now]);
            }
        }
    }
}

/// The signals that would end the program and leave the terminal as it is: SIGHUP and SIGQUIT.
struct Leaving {
    hangup: Signal,
    quit: Signal,
}

impl Leaving {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for one of them.
    async fn requested(&mut self) {
        tokio::select! {
            _ = self.hangup.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}

/// Keys and changes of size, from a thread that waits for them until the program ends.
fn read_input() -> io::Result<mpsc::Receiver<io::Result<Event>>> {
    const WAITING: usize = 64;
    let (sender, receiver) = mpsc::channel(WAITING);
    thread::Builder::new().name("input".to_owned()).spawn(move || {
        loop {
            let event = event::read();
            let failed = event.is_err();
            if sender.blocking_send(event).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(receiver)
}
