//! What the service does, as it does it: lines for the journal, or JSON, which `schemas/enable-watch.json` describes.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;

use super::super::report::Socket;
use super::super::text;
use crate::style::{BAD, BOLD};
use crate::{json, units};

/// Failures that are told one by one, if there are several at once.
const FAILURES: usize = 5;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Event {
    time: String,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum What {
    /// The rules were read, so many.
    Rules {
        file: Option<String>,
        rules: usize,
    },
    /// They could not be read, and those from before stay.
    RulesRefused {
        file: Option<String>,
        error: String,
    },
    Switched(Switched),
    /// Told at the second try, since a listener may be gone before the first.
    Failed(Switched),
}

/// A listener that a rule fits.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Switched {
    /// Counted from 1; `None` where it can't be told.
    pub(super) rule: Option<usize>,
    /// The network namespace, if it is another.
    pub(super) netns: Option<String>,
    #[serde(flatten)]
    pub(super) socket: Socket,
}

impl Event {
    pub(super) fn now(what: What) -> Self {
        Self {
            time: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            what,
        }
    }
}

pub(super) fn as_json(events: &[Event], out: &mut impl Write) -> io::Result<()> {
    events.iter().try_for_each(|event| json::line(out, event))
}

pub(super) fn as_text(events: &[Event], out: &mut impl Write) -> io::Result<()> {
    let mut failures = 0;
    for event in events {
        match &event.what {
            What::Rules { file, rules } => writeln!(
                out,
                "{} from {}",
                units::count(*rules as u64, "rule", "rules"),
                file.as_deref().unwrap_or("the command line")
            )?,
            // The error itself is a warning.
            What::RulesRefused { .. } => writeln!(out, "the rules from before stay")?,
            What::Switched(switched) => {
                let socket = &switched.socket;
                writeln!(out, "{}: {}", start(switched), text::change(socket))?;
                text::capped(socket, out)?;
                text::keys(socket, out)?;
            }
            What::Failed(switched) => {
                failures += 1;
                if failures <= FAILURES {
                    let error = switched.socket.error.as_deref().unwrap_or_default();
                    writeln!(out, "{}: {BAD}not switched{BAD:#}: {error}", start(switched))?;
                }
            }
        }
    }
    match failures.saturating_sub(FAILURES) {
        0 => {}
        more => writeln!(
            out,
            "{BAD}not switched{BAD:#}: {} more",
            units::count(more as u64, "listener", "listeners")
        )?,
    }
    out.flush()
}

fn start(switched: &Switched) -> String {
    let rule = switched
        .rule
        .map_or_else(String::new, |rule| format!(", rule {rule}"));
    let netns = switched
        .netns
        .as_ref()
        .map_or_else(String::new, |netns| format!(" in {netns}"));
    let owners = text::owners(&[&switched.socket]);
    format!("{BOLD}{}{BOLD:#}{owners}{netns}{rule}", switched.socket.address)
}
