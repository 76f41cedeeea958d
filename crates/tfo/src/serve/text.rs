//! The report as a person reads it.

use std::io::{self, Write};
use std::time::Duration;

use fastopen::ArrivalKind;

use super::report::{Event, Started, Summary};
use crate::server::{Arrived, Ended, Ending, arrival, proof};
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::units::{bytes, count, time};

pub(super) fn event(out: &mut impl Write, event: &Event) -> io::Result<()> {
    match event {
        Event::Listening(started) => listening(out, started),
        Event::Arrived(arrived) => arrived_line(out, arrived),
        Event::Ended(ended) => ended_line(out, ended),
        Event::Summary(summary) => summary_lines(out, summary),
        // The error is printed where those of every command are.
        Event::Failed(_) => Ok(()),
    }?;
    out.flush()
}

fn listening(out: &mut impl Write, started: &Started) -> io::Result<()> {
    let Started {
        address,
        mode,
        queue,
        warnings,
    } = started;
    let mode = mode.name();
    match queue {
        0 => writeln!(
            out,
            "listening on {BOLD}{address}{BOLD:#} ({mode}), Fast Open switched off"
        )?,
        _ => writeln!(
            out,
            "listening on {BOLD}{address}{BOLD:#} ({mode}), room for {queue} unconfirmed fast connections"
        )?,
    }
    warnings
        .iter()
        .try_for_each(|warning| writeln!(out, "{WARNING}warning:{WARNING:#} {warning}"))
}

fn arrived_line(out: &mut impl Write, arrived: &Arrived) -> io::Result<()> {
    let style = match arrived.arrival {
        ArrivalKind::Fast { .. } => GOOD,
        _ => DIM,
    };
    let Arrived { id, peer, .. } = arrived;
    writeln!(out, "{id:>5}  {peer}  {style}{}{style:#}", arrival(arrived))
}

fn ended_line(out: &mut impl Write, ended: &Ended) -> io::Result<()> {
    let Ended {
        arrived,
        received,
        sent,
        ..
    } = ended;
    let style = match (ended.end, ended.confirmed) {
        (Ending::Closed, Some(true)) => DIM,
        (Ending::Unconfirmed | Ending::Failed, _) | (_, Some(false)) => BAD,
        _ => WARNING,
    };
    write!(
        out,
        "{:>5}  {style}{}",
        arrived.id,
        proof(ended).map(|proof| proof + "; ").unwrap_or_default()
    )?;
    write!(
        out,
        "received {}, sent {}, {}",
        bytes(*received),
        bytes(*sent),
        ending(ended)
    )?;
    let elapsed = ended.elapsed.unwrap_or_default();
    writeln!(out, " after {}{style:#}", time(elapsed))
}

fn ending(ended: &Ended) -> String {
    match ended.end {
        Ending::Closed => "closed".to_owned(),
        Ending::Reset => "reset by the client".to_owned(),
        Ending::Idle => "idle, closed".to_owned(),
        Ending::Unconfirmed => "given up by the kernel".to_owned(),
        Ending::CutOff => "cut off".to_owned(),
        Ending::Failed => ended.error.clone().unwrap_or_default(),
    }
}

fn summary_lines(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let Summary {
        connections,
        fast,
        cookie_requested,
        plain,
        unknown,
        unconfirmed,
        received,
        sent,
    } = summary;
    write!(
        out,
        "{BOLD}{}{BOLD:#}",
        count(*connections, "connection", "connections")
    )?;
    if *connections > 0 {
        write!(
            out,
            ": {fast} fast, {cookie_requested} cookie-requested, {plain} plain"
        )?;
        if *unknown > 0 {
            write!(out, ", {unknown} unknown")?;
        }
        if *unconfirmed > 0 {
            write!(out, "; {unconfirmed} never confirmed")?;
        }
        write!(out, "; received {}, sent {}", bytes(*received), bytes(*sent))?;
    }
    writeln!(out)
}

/// Says on standard error that connections have to wait.
pub(super) fn cannot_accept(error: &io::Error) {
    note(&format!(
        "{WARNING}warning:{WARNING:#} no further connection can be accepted: {error}; new ones wait until others end"
    ));
}

/// Says on standard error that they no longer have to.
pub(super) fn accepts_again(after: Duration) {
    note(&format!("connections are accepted again, after {}", time(after)));
}

/// Says on standard error what the server waits for.
pub(super) fn stopping(open: usize) {
    let open = count(open as u64, "open connection", "open connections");
    note(&format!(
        "stopping; waiting for {open} to end; Ctrl-C again ends at once"
    ));
}

fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
