//! The demonstration, drawn for people, at 80 columns.

use std::io::{self, Write};

use fastopen::{ArrivalKind, Connector, Outcome};

use super::Setting;
use super::report::{Connection, Kind, Path, Report};
use crate::style::{BAD, BOLD, DIM, GOOD, WARNING};
use crate::trace::ladder;

const WIDTH: usize = 80;

pub(super) fn opening(setting: Setting, out: &mut impl Write) -> io::Result<()> {
    let rtt = humantime::format_duration(setting.rtt);
    writeln!(
        out,
        "{BOLD}TCP Fast Open{BOLD:#} between a client and a server {rtt} apart, there and back,\n\
         on a network made for this. The kernels are real; your network is not touched."
    )
}

pub(super) fn connection(connection: &Connection, out: &mut impl Write) -> io::Result<()> {
    let Connection {
        exchange,
        server,
        samples,
        packets,
        ..
    } = connection;
    writeln!(out, "\n{BOLD}{}{BOLD:#}", connection.title())?;
    ladder::rows(out, packets, WIDTH)?;
    let style = outcome_style(exchange.outcome);
    let answered = match (server.arrival, server.answered_ms) {
        (ArrivalKind::Fast { .. }, Some(at)) => format!("answered at {at:.1} ms, "),
        _ => String::new(),
    };
    let confirmed = match server.confirmed_ms {
        Some(at) => format!("confirmed at {at:.1} ms"),
        None => "never confirmed".to_owned(),
    };
    writeln!(
        out,
        "  Client: {style}{}{style:#}. Server: {}, {answered}{confirmed}.",
        exchange.outcome, server.arrival
    )?;
    let [first, second, third] = samples.each_ref().map(|sample| sample.elapsed_ms);
    writeln!(
        out,
        "  {BOLD}{:.2} round trips{BOLD:#} {DIM}(the median of {first:.1}, {second:.1} and {third:.1} ms){DIM:#}",
        exchange.rounds
    )
}

pub(super) fn paths_heading(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{BOLD}Paths that get in its way{BOLD:#}, for a client that has a cookie already\n\n  \
         {DIM}{:<15}  {:<8} {:>6} {:>7}  bytes  what happened{DIM:#}",
        "path", "outcome", "rounds", "time"
    )
}

pub(super) fn path(path: &Path, out: &mut impl Write) -> io::Result<()> {
    let style = outcome_style(path.exchange.outcome);
    let (once, once_style) = match path.delivered_once {
        true => ("once", GOOD),
        false => ("WRONG", BAD),
    };
    writeln!(
        out,
        "  {:<15}  {style}{:<8}{style:#} {:>6.1} {:>4.0} ms  {once_style}{once:<5}{once_style:#}  {}",
        path.scenario,
        path.exchange.outcome.name(),
        path.exchange.rounds,
        path.exchange.elapsed_ms,
        path.note()
    )
}

pub(super) fn closing(report: &Report, out: &mut impl Write) -> io::Result<()> {
    explanation(out)?;
    for problem in &report.problems {
        writeln!(out, "{BAD}not as it should be:{BAD:#} {problem}")?;
    }
    let elapsed = |kind| {
        let mut connections = report.connections.iter();
        let connection = connections.find(|connection| connection.kind == kind)?;
        Some(connection.exchange.elapsed_ms)
    };
    if let (Some(plain), Some(fast)) = (elapsed(Kind::Plain), elapsed(Kind::Fast)) {
        writeln!(
            out,
            "{BOLD}Without Fast Open {plain:.0} ms, with it {fast:.0} ms.{BOLD:#} Now on your own machine:"
        )?;
    }
    writeln!(out, "{NEXT}")
}

fn explanation(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "
  ignored   The data in the SYN was not taken. The kernel sends it again, which
            takes no longer than plain TCP.
  syn-lost  The fast SYN got no answer. When the SYN-ACK is overdue (after {} ms
            where nothing is known of the path), or at once after a reset, a
            plain one joins it. For a while the path is then used plainly.
  a copy    Whoever saw a SYN can send it again. The server reads the request a
            second time, but nobody confirms it: that is what to wait for
            before doing anything that must not happen twice.
",
        Connector::DEFAULT_DELAY.as_millis()
    )
}

const NEXT: &str = "  tfo doctor                      Is this machine ready for it?
  tfo serve --http :8080          A server that tells how each connection came
  tfo send 127.0.0.1:8080 hello   A client that tells what became of its bytes";

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
        let mut bytes = Vec::new();
        let out = &mut anstream::StripStream::new(&mut bytes);
        opening(Setting { rtt, ipv6: false }, out).unwrap();
        for each in &report.connections {
            connection(each, out).unwrap();
        }
        paths_heading(out).unwrap();
        for each in &report.paths {
            path(each, out).unwrap();
        }
        closing(report, out).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn all_of_it() {
        insta::assert_snapshot!(drawn(Duration::from_millis(60), &sample::report()));
    }

    #[test]
    fn it_fits_into_eighty_columns_whatever_the_times() {
        let mut report = sample::report();
        for connection in &mut report.connections {
            connection.exchange.elapsed_ms = 1234.5;
            connection.server.answered_ms = Some(1234.5);
            connection.server.confirmed_ms = Some(1234.5);
            for sample in &mut connection.samples {
                sample.elapsed_ms = 1234.5;
            }
        }
        for path in &mut report.paths {
            path.exchange.elapsed_ms = 1234.5;
            path.server.confirmed_ms = Some(1234.5);
        }
        let text = drawn(Duration::from_micros(123_456), &report);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_is_said() {
        let mut report = sample::report();
        report.paths[0].delivered_once = false;
        report.problems = report.paths[0].problems();
        let text = drawn(Duration::from_millis(60), &report);
        assert!(text.contains("WRONG"), "{text}");
        assert!(
            text.contains("not as it should be: option-stripped: the bytes did not arrive exactly once"),
            "{text}"
        );
    }
}
