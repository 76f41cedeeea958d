//! A report in which everything is as expected.

use fastopen::{ArrivalKind, Outcome, Reason};

use super::hostile::HOSTILE;
use super::report::{Arrived, Connection, Duplicate, Exchange, Greeting, Kind, Path, Report, Syn, SynOption};
use crate::diagram::sample as packets;

const FAST: ArrivalKind = ArrivalKind::Fast { data: true };

pub(super) fn report() -> Report {
    Report {
        rtt_ms: 60.0,
        ip_version: 4,
        connections: Kind::ALL.map(connection).into(),
        greetings: Greeting::KINDS.map(greeting).into(),
        paths: HOSTILE.iter().map(|hostile| path(hostile.scenario)).collect(),
        problems: Vec::new(),
    }
}

pub(super) fn exchange(outcome: Outcome, rounds: f64) -> Exchange {
    Exchange {
        outcome,
        reason: outcome.reason(),
        rounds,
        elapsed_ms: rounds * 60.0,
    }
}

pub(super) fn connection(kind: Kind) -> Connection {
    let (outcome, rounds, arrival, syn) = match kind {
        Kind::Plain => (
            Outcome::NotAttempted(Reason::Policy),
            2.01,
            ArrivalKind::Plain,
            syn(SynOption::None, 0),
        ),
        Kind::First => (
            Outcome::NoCookie,
            2.01,
            ArrivalKind::CookieRequested,
            syn(SynOption::Request, 0),
        ),
        Kind::Fast => (Outcome::Accepted, 1.01, FAST, syn(SynOption::Cookie, 35)),
    };
    let exchange = exchange(outcome, rounds);
    Connection {
        kind,
        samples: [exchange.clone(), exchange.clone(), exchange.clone()],
        exchange,
        delivered_once: true,
        request_bytes: 35,
        connected_ms: 60.2,
        server: arrived(arrival, syn, 90.3),
        packets: match kind {
            Kind::Plain => packets::plain(),
            Kind::First => packets::connections().swap_remove(0),
            Kind::Fast => packets::connections().swap_remove(1),
        },
    }
}

pub(super) fn greeting(kind: Kind) -> Greeting {
    let Connection {
        exchange, samples, ..
    } = connection(kind);
    Greeting {
        kind,
        exchange,
        delivered_once: true,
        samples,
    }
}

pub(super) fn path(scenario: &'static str) -> Path {
    let ignored = |syn| (Outcome::Ignored, 2.0, arrived(ArrivalKind::Plain, syn, 90.3));
    let accepted = |at| {
        (
            Outcome::Accepted,
            1.0,
            arrived(FAST, syn(SynOption::Cookie, 40), at),
        )
    };
    let (expected, rounds, server) = match scenario {
        "option-stripped" => ignored(syn(SynOption::None, 40)),
        "cookie-refused" => ignored(syn(SynOption::Cookie, 40)),
        "syn-proxy" => ignored(syn(SynOption::None, 0)),
        "held-ack" => accepted(290.3),
        "replay" | "blackhole" => accepted(90.3),
        "option-dropped" | "data-dropped" | "reset" => {
            let server = arrived(ArrivalKind::Plain, syn(SynOption::None, 0), 340.3);
            (Outcome::SynLost, 6.2, server)
        }
        other => panic!("no sample for the path {other}: add one here"),
    };
    let replayed = Duplicate {
        confirmed: false,
        ended_after_ms: 3030.0,
    };
    let dies = scenario == "blackhole";
    let next = exchange(Outcome::NotAttempted(Reason::PathMemory), 2.0);
    Path {
        scenario,
        about: format!("What {scenario} does."),
        expected,
        exchange: exchange(expected, rounds).if_answered(!dies),
        delivered_once: true,
        server,
        duplicates: if scenario == "replay" {
            vec![replayed]
        } else {
            Vec::new()
        },
        next: (dies || expected == Outcome::SynLost).then_some(next),
    }
}

fn syn(option: SynOption, data_bytes: usize) -> Syn {
    Syn {
        option,
        cookie: (option == SynOption::Cookie).then(|| "d6fa69…".to_owned()),
        data_bytes,
    }
}

fn arrived(arrival: ArrivalKind, syn: Syn, confirmed_ms: f64) -> Arrived {
    let accepted_ms = if arrival == FAST { 30.2 } else { confirmed_ms };
    Arrived {
        arrival,
        syn: Some(syn),
        accepted_ms,
        answered_ms: Some(accepted_ms + 0.1),
        confirmed_ms: Some(confirmed_ms),
    }
}
