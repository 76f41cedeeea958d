//! A packet in words, and a verdict's style.

use anstyle::Style;
use fastopen_wire::{Connection, Event, Step, Verdict};

use crate::style::{BAD, GOOD, WARNING};

/// A packet of the connection, and what it saved where it is the evidence for that.
pub(crate) fn step(connection: &Connection, step: &Step) -> String {
    let saved = connection.verdict == Verdict::Accepted && connection.rounds_saved() > 0;
    match saved && connection.evidence == Some(step.number) && matches!(step.event, Event::SynAck { .. }) {
        true => format!("{step}: one round trip saved"),
        false => step.to_string(),
    }
}

/// What a verdict is to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    /// It deserves a look.
    Warning,
    Neutral,
}

pub(super) fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Accepted => Tone::Good,
        Verdict::Ignored | Verdict::SynLost | Verdict::Refused | Verdict::Unanswered => Tone::Bad,
        Verdict::CookieNotGranted | Verdict::Dataless | Verdict::Inconclusive => Tone::Warning,
        Verdict::CookieGranted | Verdict::Plain => Tone::Neutral,
    }
}

/// A verdict's style in a terminal.
pub(crate) fn style(verdict: Verdict) -> Style {
    match tone(verdict) {
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::Warning => WARNING,
        Tone::Neutral => Style::new(),
    }
}
