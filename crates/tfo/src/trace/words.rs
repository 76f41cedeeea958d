//! What a verdict rests on, in words.

use std::fmt::Write as _;

use anstyle::Style;
use fastopen_wire::{Connection, Event, Side, Step, Verdict};

use crate::style::{BAD, GOOD, WARNING};
use crate::units;

/// The packet that settled the verdict.
pub(super) fn evidence(connection: &Connection) -> Option<&Step> {
    let number = connection.evidence?;
    connection.steps.iter().find(|step| step.number == number)
}

/// What the verdict rests on, and what else is worth knowing, in one line.
pub(super) fn reason(connection: &Connection) -> String {
    let packet = connection.evidence.map(|number| format!("packet {number}"));
    told(connection, packet)
}

/// The same with the verdict, for the packet itself.
pub(super) fn comment(connection: &Connection) -> String {
    format!("tfo: {}: {}", connection.verdict, told(connection, None))
}

fn told(connection: &Connection, packet: Option<String>) -> String {
    let mut told = ground(connection);
    let after = connection
        .answered_after
        .map(|after| format!("after {}", units::time(after)));
    let details: Vec<String> = packet.into_iter().chain(after).collect();
    if !details.is_empty() {
        // Writing to a string can't fail.
        let _ = write!(told, " ({})", details.join(", "));
    }
    for note in &connection.notes {
        let separator = if told.is_empty() { "" } else { "; " };
        let _ = write!(told, "{separator}{note}");
    }
    told
}

fn ground(connection: &Connection) -> String {
    match (connection.verdict, evidence(connection)) {
        (Verdict::Inconclusive, _) if connection.notes.is_empty() => {
            "the packets that were seen leave it open".to_owned()
        }
        (Verdict::Inconclusive, _) => String::new(),
        (Verdict::Unanswered, _) => {
            let syns = connection
                .steps
                .iter()
                .filter(|step| step.from == Side::Client && matches!(step.event, Event::Syn { .. }));
            format!(
                "{} without an answer",
                units::count(syns.count() as u64, "SYN", "SYNs")
            )
        }
        (Verdict::Refused, _) => "a RST answers the SYN".to_owned(),
        (Verdict::CookieNotGranted, _) => "SYN-ACK brings no cookie".to_owned(),
        (Verdict::Plain, _) => "SYN without the option".to_owned(),
        (_, Some(step)) => step.to_string(),
        (_, None) => String::new(),
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
pub(super) fn style(verdict: Verdict) -> Style {
    match tone(verdict) {
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::Warning => WARNING,
        Tone::Neutral => Style::new(),
    }
}

/// Breaks a sentence into lines of so many characters, between its words; a word that is longer gets a line of its own.
pub(super) fn wrap(sentence: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_between_words() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("a bc def", 8), ["a bc def"]);
        assert_eq!(wrap("…… …", 4), ["…… …"]);
        assert_eq!(wrap("longer", 4), ["longer"]);
    }
}
