//! What a verdict rests on, in words.

use std::fmt::Write as _;

use fastopen_wire::{Connection, Cookie, Event, FastOpen, Side, Step, Verdict};

use crate::diagram::words::step;
use crate::units;

/// The packet that settled the verdict.
pub(super) fn evidence(connection: &Connection) -> Option<&Step> {
    let number = connection.evidence?;
    connection.steps.iter().find(|step| step.number == number)
}

/// Writes what the verdict rests on, and what else is worth knowing, behind what is there.
pub(super) fn write_reason(text: &mut String, connection: &Connection) {
    tell(text, connection, connection.evidence);
}

/// The same with the verdict, for the packet itself.
pub(super) fn comment(connection: &Connection) -> String {
    let mut text = format!("tfo: {}: ", connection.verdict);
    tell(&mut text, connection, None);
    text
}

/// Writes it behind what is there. Writing to a string can't fail.
fn tell(text: &mut String, connection: &Connection, packet: Option<u64>) {
    let start = text.len();
    write_basis(text, connection);
    let after = connection.answered_after.map(units::time);
    let _ = match (packet, after) {
        (None, None) => Ok(()),
        (Some(number), None) => write!(text, " (packet {number})"),
        (None, Some(after)) => write!(text, " (after {after})"),
        (Some(number), Some(after)) => write!(text, " (packet {number}, after {after})"),
    };
    for note in &connection.notes {
        let separator = if text.len() == start { "" } else { "; " };
        let _ = write!(text, "{separator}{note}");
    }
}

fn write_basis(text: &mut String, connection: &Connection) {
    let fixed = match (connection.verdict, evidence(connection)) {
        (Verdict::Inconclusive, _) => return write_what_is_left_open(text, connection),
        (Verdict::Unanswered, _) => {
            let syns = connection
                .steps
                .iter()
                .filter(|step| step.from == Side::Client && matches!(step.event, Event::Syn { .. }));
            text.push_str(&units::count(syns.count() as u64, "SYN", "SYNs"));
            " without an answer"
        }
        (Verdict::Refused, _) => "a RST answers the SYN",
        (Verdict::CookieNotGranted, _) => "SYN-ACK brings no cookie",
        (Verdict::Plain, _) => "SYN without the option",
        (Verdict::Dataless, _) => "SYN carries a cookie and no data",
        (_, Some(evidence)) => return text.push_str(&step(connection, evidence)),
        (_, None) => "",
    };
    text.push_str(fixed);
}

fn write_what_is_left_open(text: &mut String, connection: &Connection) {
    if let Some(cookie) = cookie_of_unseen_syn(connection) {
        // Writing to a string can't fail.
        let _ = write!(text, "SYN-ACK grants cookie {cookie}");
    } else if connection.notes.is_empty() {
        text.push_str("the packets that were seen leave it open");
    }
}

/// The cookie that a SYN-ACK grants without its SYN having been captured.
fn cookie_of_unseen_syn(connection: &Connection) -> Option<Cookie> {
    match (connection.syn, connection.syn_ack?.fast_open) {
        (None, FastOpen::Cookie(_, cookie)) => Some(cookie),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagram::sample;

    fn reason(connection: &Connection) -> String {
        let mut text = String::new();
        write_reason(&mut text, connection);
        text
    }

    #[test]
    fn a_lone_syn_acks_cookie_is_told() {
        let reason = reason(&sample::lone_syn_ack());
        assert_eq!(reason, "SYN-ACK grants cookie 3021b9…; SYN not captured");
    }

    #[test]
    fn a_server_that_falls_silent_saves_nothing() {
        let silent = sample::silent_afterwards();
        assert_eq!(
            (silent.verdict, silent.rounds_saved(), silent.rounds_used()),
            (Verdict::Accepted, 0, None)
        );
        assert_eq!(
            reason(&silent),
            "SYN-ACK acknowledges all 18 (packet 2, after 60.0 ms); then nothing from the server, and at least 2 packets sent again"
        );
    }

    #[test]
    fn a_server_that_resets_without_an_answer_saves_nothing() {
        let reset = sample::reset_unanswered();
        assert_eq!(
            (reset.verdict, reset.rounds_saved(), reset.rounds_used()),
            (Verdict::Accepted, 0, None)
        );
        assert_eq!(
            reason(&reset),
            "SYN-ACK acknowledges all 18 (packet 2, after 60.0 ms); reset by the server before it sent data"
        );
    }

    #[test]
    fn a_server_that_speaks_first_saves_a_round_trip() {
        let early = sample::banner();
        assert_eq!(
            (early.verdict, early.rounds_saved(), early.rounds_used()),
            (Verdict::Dataless, 1, Some(1))
        );
        assert_eq!(
            reason(&early),
            "SYN carries a cookie and no data (packet 2, after 60.0 ms); the server's data in packet 4 came before the client's ACK could reach it: one round trip saved"
        );
    }
}
