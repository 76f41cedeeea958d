//! A report in which everything is as it should be.

use super::paths::HOSTILE;
use super::report::{Arrived, Connection, Duplicate, Exchange, Kind, Path, Report, Syn};

pub(super) fn report() -> Report {
    Report {
        rtt_ms: 60.0,
        ip_version: 4,
        connections: Kind::ALL.map(connection).into(),
        paths: HOSTILE.iter().map(|hostile| path(hostile.scenario)).collect(),
        problems: Vec::new(),
    }
}

pub(super) fn exchange(outcome: &'static str, reason: Option<&'static str>, rounds: f64) -> Exchange {
    Exchange {
        outcome,
        reason,
        rounds,
        elapsed_ms: rounds * 60.0,
    }
}

pub(super) fn connection(kind: Kind) -> Connection {
    let (exchange, server) = match kind {
        Kind::Plain => (
            exchange("not-attempted", Some("policy"), 2.01),
            arrived("plain", "none", 0, 90.3),
        ),
        Kind::First => (
            exchange("no-cookie", None, 2.01),
            arrived("cookie-requested", "request", 0, 90.3),
        ),
        Kind::Fast => (
            exchange("accepted", None, 1.01),
            arrived("fast", "cookie", 35, 90.3),
        ),
    };
    Connection {
        kind,
        samples: [exchange.clone(), exchange.clone(), exchange.clone()],
        exchange,
        delivered_once: true,
        request_bytes: 35,
        connected_ms: 60.2,
        server,
    }
}

pub(super) fn path(scenario: &'static str) -> Path {
    let (exchange, server, next) = match scenario {
        "option-stripped" => (
            exchange("ignored", None, 2.0),
            arrived("plain", "none", 45, 90.3),
            None,
        ),
        "cookie-refused" => (
            exchange("ignored", None, 2.0),
            arrived("plain", "cookie", 45, 90.3),
            None,
        ),
        "syn-proxy" => (
            exchange("ignored", None, 2.0),
            arrived("plain", "none", 0, 90.3),
            None,
        ),
        "held-ack" => (
            exchange("accepted", None, 1.0),
            arrived("fast", "cookie", 38, 290.3),
            None,
        ),
        "replay" => (
            exchange("accepted", None, 1.0),
            arrived("fast", "cookie", 36, 90.3),
            None,
        ),
        _ => (
            exchange("syn-lost", None, 6.2),
            arrived("plain", "none", 0, 340.3),
            Some(self::exchange("not-attempted", Some("path-memory"), 2.0)),
        ),
    };
    Path {
        scenario,
        about: format!("What {scenario} does."),
        expected: exchange.outcome,
        exchange,
        delivered_once: true,
        server,
        duplicates: match scenario {
            "replay" => vec![Duplicate {
                confirmed: false,
                ended_after_ms: 3030.0,
            }],
            _ => Vec::new(),
        },
        next,
    }
}

fn arrived(arrival: &'static str, option: &'static str, data_bytes: usize, confirmed_ms: f64) -> Arrived {
    let accepted_ms = if arrival == "fast" { 30.2 } else { confirmed_ms };
    Arrived {
        arrival,
        syn: Some(Syn {
            option,
            cookie: (option == "cookie").then(|| "d6fa69…".to_owned()),
            data_bytes,
        }),
        accepted_ms,
        answered_ms: Some(accepted_ms + 0.1),
        confirmed_ms: Some(confirmed_ms),
    }
}
