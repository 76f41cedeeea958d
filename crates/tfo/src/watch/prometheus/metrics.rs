//! A report as metrics. No label has more values than there are listeners, and of these a bounded number.

use fastopen_host::counters::Counter;

use super::super::report::Report;
use super::super::tally::Incoming;
use crate::metrics_page::{Kind, Page};

/// How many listeners have labels of their own.
const LISTENERS: usize = 100;
/// The label of the connections whose listener has none of its own, or is gone.
const OTHER: &str = "other";

pub(super) fn page(report: Report) -> String {
    let report = report.shortened(LISTENERS, 0);
    let mut page = Page::default();
    for row in &report.counters {
        let (counter, name) = (row.counter, name(row.counter));
        let help = format!("{} ({} in /proc/net/netstat)", counter.meaning(), counter.name());
        page.metric(name, Kind::Counter, &help).sample(&[], row.value);
    }
    outgoing(&report, &mut page);
    incoming(&report, &mut page);
    queues(&report, &mut page);
    keys(&report, &mut page);
    page.into_text()
}

fn name(counter: Counter) -> &'static str {
    match counter {
        Counter::Active => "fastopen_active_total",
        Counter::ActiveFail => "fastopen_active_fail_total",
        Counter::Passive => "fastopen_passive_total",
        Counter::PassiveFail => "fastopen_passive_fail_total",
        Counter::PassiveAltKey => "fastopen_passive_alt_key_total",
        Counter::ListenOverflow => "fastopen_listen_overflow_total",
        Counter::CookieRequested => "fastopen_cookie_requested_total",
        Counter::Blackhole => "fastopen_blackhole_total",
        Counter::AcceptQueueOverflow => "fastopen_tcp_accept_queue_overflow_total",
        Counter::ListenDrop => "fastopen_tcp_listen_drop_total",
        Counter::SynRetransmit => "fastopen_tcp_syn_retransmit_total",
        Counter::SynCookieSent => "fastopen_tcp_syn_cookie_sent_total",
        other => unreachable!("{other:?} has no name here"),
    }
}

fn outgoing(report: &Report, page: &mut Page) {
    let mut metric = page.metric(
        "fastopen_outgoing_connections",
        Kind::Gauge,
        "Open outgoing connections, by what became of their first bytes; unknown: without a trace of Fast Open.",
    );
    let outgoing = &report.outgoing;
    for (outcome, connections) in [
        ("accepted", outgoing.accepted),
        ("no-cookie", outgoing.no_cookie),
        ("ignored", outgoing.ignored),
        ("syn-lost", outgoing.syn_lost),
        ("unknown", outgoing.unknown),
        ("connecting", outgoing.connecting),
    ] {
        metric.sample(&[("outcome", &outcome)], connections);
    }
}

fn incoming(report: &Report, page: &mut Page) {
    let mut metric = page.metric(
        "fastopen_incoming_connections",
        Kind::Gauge,
        "Open incoming connections, by how they arrived and whether their handshakes have finished.",
    );
    let mut sample = |listener: &str, incoming: &Incoming| {
        for (arrival, confirmed, connections) in [
            ("fast", true, incoming.fast - incoming.unconfirmed),
            ("fast", false, incoming.unconfirmed),
            ("plain", true, incoming.plain),
            ("plain", false, incoming.half_open),
        ] {
            metric.sample(
                &[
                    ("listener", &listener),
                    ("arrival", &arrival),
                    ("confirmed", &confirmed),
                ],
                connections,
            );
        }
    };
    let mut listed = Incoming::default();
    for row in &report.listeners {
        sample(&row.address.to_string(), &row.incoming);
        listed += row.incoming;
    }
    sample(OTHER, &report.incoming.without(listed));
}

fn queues(report: &Report, page: &mut Page) {
    let mut metric = page.metric(
        "fastopen_listener_queue_length",
        Kind::Gauge,
        "How many fast connections may be unconfirmed at once; 0: the listener does not use Fast Open.",
    );
    for row in &report.listeners {
        if let Some(queue) = row.fast_open_queue {
            metric.sample(&[("listener", &row.address)], queue);
        }
    }
    let mut metric = page.metric(
        "fastopen_listener_to_accept",
        Kind::Gauge,
        "How many connections wait to be accepted.",
    );
    for row in &report.listeners {
        metric.sample(&[("listener", &row.address)], row.to_accept);
    }
}

fn keys(report: &Report, page: &mut Page) {
    if let Some(primary) = report.fingerprints.first() {
        let backup = report.fingerprints.get(1).map_or("", String::as_str);
        page.metric(
            "fastopen_key_info",
            Kind::Gauge,
            "The fingerprints of the server's keys, as tfo keys fingerprint prints them; its value is 1.",
        )
        .sample(&[("primary", primary), ("backup", &backup)], 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::super::sample;
    use super::*;

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        let names: HashSet<_> = Counter::ALL.iter().copied().map(name).collect();
        assert_eq!(names.len(), Counter::ALL.len());
        assert!(
            names
                .iter()
                .all(|name| name.starts_with("fastopen_") && name.ends_with("_total"))
        );
    }

    #[test]
    fn a_moment_as_a_page() {
        insta::assert_snapshot!(page(sample::report()));
    }

    #[test]
    fn ten_thousand_listeners_and_peers_have_few_labels() {
        let mut report = sample::report();
        let (listener, peer) = (report.listeners[0].clone(), report.peers[0].clone());
        report.listeners = (0..10_000)
            .map(|port| {
                let mut row = listener.clone();
                row.address.set_port(port);
                row
            })
            .collect();
        report.peers = vec![peer; 10_000];
        report.incoming.fast = 10_000 * listener.incoming.fast;
        report.incoming.unconfirmed = 10_000 * listener.incoming.unconfirmed;
        let page = page(report);
        assert!(page.lines().count() < 1000, "{} lines", page.lines().count());
        let confirmed = listener.incoming.fast - listener.incoming.unconfirmed;
        let others = format!(
            "fastopen_incoming_connections{{listener=\"other\",arrival=\"fast\",confirmed=\"true\"}} {}\n",
            9_900 * confirmed
        );
        assert!(page.contains(&others), "{page}");
    }
}
