//! Connections as a picture: one diagram below the other, on a background of its own, so that it can be read on any page.

mod draw;
mod file;

use std::io::{self, Write};
use std::time::Duration;

use fastopen_wire::{Connection, Side, Step, Verdict};

use super::words::{self, Tone};
use crate::units;
use crate::width;
use draw::{Colour, Drawing, Text};
pub(crate) use file::PictureFile;

const WIDTH: u32 = 900;
const CLIENT: u32 = 170;
const SERVER: u32 = 730;
/// How much lower an arrow ends than it begins.
const SLANT: u32 = 10;
const LINE: u32 = 17;
/// How many characters fit between the two lines.
const CHARACTERS: usize = 78;

/// The connections that the picture shows: the first ones, and how many more there were.
#[derive(Debug, Default)]
struct Picture {
    connections: Vec<Connection>,
    more: u64,
}

impl Picture {
    /// More than these make the picture unreadable.
    const MOST: usize = 50;

    fn add(&mut self, connection: &Connection) {
        match self.connections.len() {
            ..Self::MOST => self.connections.push(connection.clone()),
            _ => self.more += 1,
        }
    }

    /// Draws it.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut drawing = Drawing::new(WIDTH);
        for connection in &self.connections {
            diagram(&mut drawing, connection);
        }
        let rest = match (self.connections.len(), self.more) {
            (0, _) => Some("no TCP connection began among these packets".to_owned()),
            (_, 0) => None,
            (_, more) => Some(format!(
                "and {}",
                units::count(more, "more connection", "more connections")
            )),
        };
        if let Some(rest) = rest {
            drawing.down(34);
            drawing.text(WIDTH / 2, Text::Centred, Colour::Faint, &rest);
        }
        drawing.down(24);
        drawing.write(out)
    }
}

fn diagram(drawing: &mut Drawing, connection: &Connection) {
    let colour = colour(connection.verdict);
    drawing.down(44);
    drawing.text(30, Text::Title, colour, connection.verdict.as_str());
    if let Some(saying) = saying(connection) {
        drawing.text(WIDTH - 30, Text::AtEnd, Colour::Faint, &saying);
    }
    for note in &connection.notes {
        drawing.down(LINE + 3);
        drawing.text(30, Text::Plain, Colour::Faint, &note.to_string());
    }
    drawing.down(34);
    drawing.text(CLIENT, Text::Address, Colour::Ink, &connection.client.to_string());
    drawing.text(SERVER, Text::Address, Colour::Ink, &connection.server.to_string());
    drawing.down(8);
    let top = drawing.here();
    let origin = connection.steps.first().map_or(Duration::ZERO, |step| step.time);
    let mut before = origin;
    for step in &connection.steps {
        let settles = connection.evidence == Some(step.number);
        let colour = if settles { colour } else { Colour::Ink };
        drawing.down(pause(step.time.saturating_sub(before)));
        before = step.time;
        arrow(
            drawing,
            &words::step(connection, step),
            step,
            origin,
            colour,
            settles,
        );
    }
    let last = match (connection.verdict, connection.steps_omitted) {
        (Verdict::Unanswered, _) => Some("no answer".to_owned()),
        (_, 0) => None,
        (_, more) => Some(units::count(more.into(), "more packet", "more packets")),
    };
    if let Some(last) = last {
        drawing.down(2 * LINE);
        drawing.text((CLIENT + SERVER) / 2, Text::Centred, Colour::Faint, &last);
    }
    drawing.down(16);
    drawing.lifeline(CLIENT, top);
    drawing.lifeline(SERVER, top);
}

/// A packet: its words above its arrow, the time before it and the number behind it.
fn arrow(drawing: &mut Drawing, said: &str, step: &Step, origin: Duration, colour: Colour, settles: bool) {
    for line in width::wrap(said, CHARACTERS) {
        drawing.down(LINE);
        let text = if settles { Text::CentredBold } else { Text::Centred };
        drawing.text((CLIENT + SERVER) / 2, text, colour, &line);
    }
    drawing.down(7);
    let time = units::time(step.time.saturating_sub(origin));
    let (from, to) = match step.from {
        Side::Client => (CLIENT, SERVER),
        Side::Server => (SERVER, CLIENT),
    };
    drawing.text_beside(CLIENT - 12, Text::AtEnd, &time);
    drawing.text_beside(SERVER + 12, Text::Plain, &format!("packet {}", step.number));
    drawing.arrow(from, to, SLANT, colour, settles);
    drawing.down(SLANT);
}

/// Room for the time that passes before a packet: a little for a moment, more for a round trip, not too much for a timeout.
fn pause(time: Duration) -> u32 {
    match time.as_micros() {
        ..2_000 => 6,
        2_000..500_000 => 22,
        _ => 44,
    }
}

fn saying(connection: &Connection) -> Option<String> {
    let after = connection.answered_after.map(units::time);
    match (connection.verdict, after) {
        (Verdict::Accepted, Some(after)) if connection.rounds_saved() > 0 => {
            Some(format!("one round trip saved; the SYN-ACK came after {after}"))
        }
        (_, Some(after)) => Some(format!("the SYN-ACK came after {after}")),
        (_, None) => None,
    }
}

fn colour(verdict: Verdict) -> Colour {
    match words::tone(verdict) {
        Tone::Good => Colour::Good,
        Tone::Bad => Colour::Bad,
        Tone::Warning => Colour::Warning,
        Tone::Neutral => Colour::Ink,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_picture_stays_as_it_is() {
        let mut picture = Picture::default();
        for connection in sample::connections() {
            picture.add(&connection);
        }
        let mut svg = Vec::new();
        picture.write(&mut svg).unwrap();
        insta::assert_snapshot!(String::from_utf8(svg).unwrap());
    }

    #[test]
    fn it_stays_small_whatever_comes() {
        let mut picture = Picture::default();
        let connection = &sample::connections()[0];
        for _ in 0..1000 {
            picture.add(connection);
        }
        let mut svg = Vec::new();
        picture.write(&mut svg).unwrap();
        let svg = String::from_utf8(svg).unwrap();
        assert!(svg.contains("and 950 more connections"), "{svg}");
    }
}
