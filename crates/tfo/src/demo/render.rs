//! The demonstration, drawn for people, on lines of so many columns.

use std::io::{self, Write};

use fastopen::{ArrivalKind, Connector, Outcome};

use super::Setting;
use super::report::{Connection, Exchange, Greeting, Kind, Path, Report};
use crate::diagram::ladder;
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::width::hang;

/// From this many columns on there is room for a sequence diagram with the words on its arrows.
const LADDER: usize = 72;
/// From this many on there is room for the table of paths.
const TABLE: usize = 80;

pub(super) fn opening(setting: Setting, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let rtt = humantime::format_duration(setting.rtt);
    let text = format!(
        "{BOLD}TCP Fast Open{BOLD:#} between a client and a server {rtt} apart, there and back, on a network made for this. The \
         kernels are real; your network is not touched."
    );
    writeln!(out, "{}", hang("", &text, columns))
}

pub(super) fn connection(connection: &Connection, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let Connection {
        exchange,
        server,
        samples,
        packets,
        ..
    } = connection;
    let title = format!("{BOLD}{}{BOLD:#}", connection.title());
    writeln!(out, "\n{}", hang("", &title, columns))?;
    if columns < LADDER {
        ladder::list(out, packets, columns)?;
    } else {
        ladder::rows(out, packets, columns)?;
    }
    let style = outcome_style(exchange.outcome);
    let answered = match (server.arrival, server.answered_ms) {
        (ArrivalKind::Fast { .. }, Some(at)) => format!("answered at {at:.1} ms, "),
        _ => String::new(),
    };
    let confirmed = match server.confirmed_ms {
        Some(at) => format!("confirmed at {at:.1} ms"),
        None => "never confirmed".to_owned(),
    };
    let ends = format!(
        "Client: {style}{}{style:#}. Server: {}, {answered}{confirmed}.",
        exchange.outcome, server.arrival
    );
    writeln!(out, "{}", hang("  ", &ends, columns))?;
    let [first, second, third] = samples.each_ref().map(|sample| sample.elapsed_ms);
    let rounds = format!(
        "{BOLD}{:.2} round trips{BOLD:#} {DIM}(the median of {first:.1}, {second:.1} and {third:.1} ms){DIM:#}",
        exchange.rounds
    );
    writeln!(out, "{}", hang("  ", &rounds, columns))
}

pub(super) fn greetings_heading(columns: usize, out: &mut impl Write) -> io::Result<()> {
    let text = format!(
        "{BOLD}Servers that speak first{BOLD:#}, as those of SSH and SMTP do: the same hosts, and so the same cookie"
    );
    writeln!(out, "\n{}\n", hang("", &text, columns))
}

pub(super) fn greeting(greeting: &Greeting, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let Exchange {
        outcome,
        rounds,
        elapsed_ms,
        ..
    } = greeting.exchange;
    let style = outcome_style(outcome);
    let text = format!(
        "{rounds:.1} round trips, {elapsed_ms:>3.0} ms  {style}{}{style:#}, {}",
        outcome.name(),
        greeting.manner()
    );
    let before = format!("  {:<5}  ", greeting.kind.name());
    writeln!(out, "{}", hang(&before, &text, columns))
}

pub(super) fn paths_heading(columns: usize, out: &mut impl Write) -> io::Result<()> {
    let text = format!("{BOLD}Paths that get in its way{BOLD:#}, for a client that has a cookie already");
    writeln!(out, "\n{}\n", hang("", &text, columns))?;
    if columns < TABLE {
        return Ok(());
    }
    writeln!(
        out,
        "  {DIM}{:<15}  {:<8} {:>6} {:>7}  bytes  what happened{DIM:#}",
        "path", "outcome", "rounds", "time"
    )
}

pub(super) fn path(path: &Path, columns: usize, out: &mut impl Write) -> io::Result<()> {
    let style = outcome_style(path.exchange.outcome);
    let (once, once_style) = match path.delivered_once {
        true => ("once", GOOD),
        false => ("WRONG", BAD),
    };
    let Path {
        scenario, exchange, ..
    } = path;
    let outcome = exchange.outcome.name();
    let (rounds, time) = match (exchange.rounds, exchange.elapsed_ms) {
        (Some(rounds), Some(time)) => (format!("{rounds:.1}"), format!("{time:.0} ms")),
        _ => ("-".to_owned(), "-".to_owned()),
    };
    let note = path.note();
    if columns < TABLE {
        let took = match exchange.rounds {
            Some(_) => format!("{rounds} round trips, {time}"),
            None => "no answer".to_owned(),
        };
        let text =
            format!("{style}{outcome}{style:#}, {took}, bytes: {once_style}{once}{once_style:#}; {note}");
        return writeln!(out, "  {scenario}\n{}", hang("      ", &text, columns));
    }
    writeln!(
        out,
        "  {scenario:<15}  {style}{outcome:<8}{style:#} {rounds:>6} {time:>7}  {once_style}{once:<5}{once_style:#}  {note}"
    )
}

pub(super) fn closing(report: &Report, columns: usize, out: &mut impl Write) -> io::Result<()> {
    explanation(columns, out)?;
    for problem in &report.problems {
        writeln!(out, "{BAD}not as expected:{BAD:#} {problem}")?;
    }
    let elapsed = |kind| {
        let mut connections = report.connections.iter();
        let connection = connections.find(|connection| connection.kind == kind)?;
        Some(connection.exchange.elapsed_ms)
    };
    if let (Some(plain), Some(fast)) = (elapsed(Kind::Plain), elapsed(Kind::Fast)) {
        let text = format!(
            "{BOLD}Without Fast Open {plain:.0} ms, with it {fast:.0} ms.{BOLD:#} Now on your own machine:"
        );
        writeln!(out, "{}", hang("", &text, columns))?;
    }
    for (command, what) in NEXT {
        if columns < TABLE {
            writeln!(out, "  {command}\n{}", hang("      ", what, columns))?;
        } else {
            writeln!(out, "  {command:<41}  {what}")?;
        }
    }
    Ok(())
}

fn explanation(columns: usize, out: &mut impl Write) -> io::Result<()> {
    let delay = Connector::DEFAULT_DELAY.as_millis();
    let words = [
        (
            "ignored",
            "The data in the SYN was not accepted. The kernel sends it again, which takes no longer than plain TCP.".to_owned(),
        ),
        (
            "syn-lost",
            format!(
                "The fast SYN got no SYN-ACK. When that is overdue (after {delay} ms where nothing is known of the path), or at \
                 once after a reset, a plain one joins it. For a while connections over that path are then plain."
            ),
        ),
        (
            "died",
            "The path let the handshake pass and then dropped everything, which no handshake shows. A client without an answer reports it to \
             the path memory, as the client here did. The next connection is plain."
                .to_owned(),
        ),
        (
            "a copy",
            "Anyone who sees a SYN can send it again. The server reads the request a second time, but nobody confirms that \
             connection: wait for the confirmation before anything that must not happen twice."
                .to_owned(),
        ),
    ];
    writeln!(out)?;
    for (word, meaning) in words {
        writeln!(out, "{}", hang(&format!("  {word:<8}  "), &meaning, columns))?;
    }
    writeln!(out)
}

/// A server takes part once its machine allows it, and the second connection is fast. `tests/lab/first_steps.rs` runs these.
const NEXT: &[(&str, &str)] = &[
    ("tfo doctor", "Is this machine ready?"),
    (
        "sudo sysctl -w net.ipv4.tcp_fastopen=3",
        "Let its servers take part",
    ),
    ("tfo serve 127.0.0.1:8080", "A server that reports connections"),
    ("tfo send 127.0.0.1:8080 hello", "Twice: no-cookie, then accepted"),
];

fn outcome_style(outcome: Outcome) -> anstyle::Style {
    match outcome {
        Outcome::Accepted => GOOD,
        Outcome::Ignored | Outcome::SynLost => WARNING,
        _ => anstyle::Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample;
    use super::*;

    fn drawn(rtt: Duration, report: &Report) -> String {
        drawn_in(80, rtt, report)
    }

    fn drawn_in(columns: usize, rtt: Duration, report: &Report) -> String {
        let mut bytes = Vec::new();
        let out = &mut anstream::StripStream::new(&mut bytes);
        opening(Setting { rtt, ipv6: false }, columns, out).unwrap();
        for each in &report.connections {
            connection(each, columns, out).unwrap();
        }
        greetings_heading(columns, out).unwrap();
        for each in &report.greetings {
            greeting(each, columns, out).unwrap();
        }
        paths_heading(columns, out).unwrap();
        for each in &report.paths {
            path(each, columns, out).unwrap();
        }
        closing(report, columns, out).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn all_of_it() {
        insta::assert_snapshot!(drawn(Duration::from_millis(60), &sample::report()));
        insta::assert_snapshot!(
            "in_60_columns",
            drawn_in(60, Duration::from_millis(60), &sample::report())
        );
    }

    #[test]
    fn it_fits_the_terminal_whatever_the_times() {
        let mut report = sample::report();
        for connection in &mut report.connections {
            connection.exchange.elapsed_ms = 1234.5;
            connection.server.answered_ms = Some(1234.5);
            connection.server.confirmed_ms = Some(1234.5);
            for sample in &mut connection.samples {
                sample.elapsed_ms = 1234.5;
            }
        }
        for greeting in &mut report.greetings {
            greeting.exchange.elapsed_ms = 1234.5;
        }
        for path in &mut report.paths {
            path.exchange.elapsed_ms = path.exchange.rounds.and(Some(1234.5));
            path.server.confirmed_ms = Some(1234.5);
        }
        for columns in [40, 50, 60, 71, 72, 79, 80, 120] {
            let text = drawn_in(columns, Duration::from_micros(123_456), &report);
            for line in text.lines() {
                let command = line.starts_with("  sudo ");
                assert!(command || line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn what_is_not_as_expected_is_said() {
        let mut report = sample::report();
        report.paths[0].delivered_once = false;
        report.problems = report.paths[0].problems();
        let text = drawn(Duration::from_millis(60), &report);
        assert!(text.contains("WRONG"), "{text}");
        assert!(
            text.contains("not as expected: option-stripped: the bytes did not arrive exactly once"),
            "{text}"
        );
    }
}
