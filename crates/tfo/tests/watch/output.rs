//! Lines and JSON.

use std::io::Read;
use std::net::Ipv6Addr;

use fastopen_lab::Host;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Watch, connect_fast, connect_in_every_way, lab, listen};

fn first_report(host: &Host) -> Value {
    Watch::start(host, &["--json"]).reports().next().unwrap()
}

pub(crate) fn each_connection_is_told_as_what_it_is() {
    for family in 0..2 {
        let lab = lab();
        let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
        let address = server.addresses()[family];
        let listener = listen(server, address);
        let local = listener.local_addr().unwrap();
        let _streams = connect_in_every_way(&lab, address, local.port());
        let no_outgoing = json!({"accepted": 0, "no_cookie": 0, "ignored": 0, "syn_lost": 0, "unknown": 0, "connecting": 0});
        let no_incoming = json!({"fast": 0, "unconfirmed": 0, "plain": 0, "half_open": 0});

        let report = first_report(server);
        let incoming = json!({"fast": 2, "unconfirmed": 1, "plain": 1, "half_open": 1});
        assert_eq!(
            (&report["outgoing"], &report["incoming"]),
            (&no_outgoing, &incoming)
        );
        assert_eq!(
            report["listeners"],
            json!([{
                "address": local.to_string(), "sockets": 1,
                "fast_open_queue": fastopen::ListenOptions::DEFAULT_QUEUE, "to_accept": 3, "incoming": incoming,
            }])
        );
        let peer = client.address_like(address).to_string();
        assert_eq!(
            report["peers"],
            json!([{"address": peer, "outgoing": no_outgoing, "incoming": incoming}])
        );

        let report = first_report(client);
        let outgoing = json!({"accepted": 2, "no_cookie": 1, "ignored": 0, "syn_lost": 0, "unknown": 1, "connecting": 0});
        assert_eq!(
            (&report["outgoing"], &report["incoming"]),
            (&outgoing, &no_incoming)
        );
        assert_eq!(
            report["peers"],
            json!([{"address": address.to_string(), "outgoing": outgoing, "incoming": no_incoming}])
        );
        assert_eq!(report["listeners"], json!([]));
    }
}

pub(crate) fn a_dual_stack_listener_has_its_ipv4_connections() {
    let lab = lab();
    let server = lab.server().unwrap();
    let listener = listen(server, Ipv6Addr::UNSPECIFIED.into());
    let port = listener.local_addr().unwrap().port();
    let _streams = connect_in_every_way(&lab, server.ipv4().into(), port);
    let report = first_report(server);
    assert_eq!(report["listeners"][0]["address"], format!("[::]:{port}"));
    assert_eq!(
        report["listeners"][0]["incoming"],
        json!({"fast": 2, "unconfirmed": 1, "plain": 1, "half_open": 1})
    );
    assert_eq!(
        report["peers"][0]["address"],
        lab.client().unwrap().ipv4().to_string()
    );
}

fn counter(report: &Value, name: &str) -> Value {
    let counters = report["counters"].as_array().unwrap();
    counters
        .iter()
        .find(|counter| counter["name"] == name)
        .unwrap()
        .clone()
}

pub(crate) fn what_rose_is_told() {
    const PASSIVE: &str = "TCPFastOpenPassive";
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = listen(server, server.ipv4().into());
    let port = listener.local_addr().unwrap().port();
    let mut watch = Watch::start(server, &["--json", "--interval", "100ms"]);
    let mut reports = watch.reports();

    let first = reports.next().unwrap();
    assert_eq!(
        (&first["elapsed_s"], &counter(&first, PASSIVE)["rise"]),
        (&Value::Null, &Value::Null)
    );
    let _streams = [(); 3].map(|()| connect_fast(client, server.ipv4().into(), port));
    let mut risen = 0;
    while risen < 2 {
        let report = reports.next().unwrap();
        let counter = counter(&report, PASSIVE);
        let rise = counter["rise"].as_u64().unwrap();
        risen += rise;
        assert_eq!(counter["value"], risen);
        let (rate, elapsed) = (
            counter["per_second"].as_f64().unwrap(),
            report["elapsed_s"].as_f64().unwrap(),
        );
        assert!(
            (rate * elapsed - rise as f64).abs() < 0.01,
            "{counter} in {elapsed} s"
        );
    }
    assert_eq!(risen, 2, "the first connection got the cookie");
}

pub(crate) fn a_pipe_gets_lines_and_a_summary() {
    let lab = lab();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = listen(server, server.ipv4().into());
    let port = listener.local_addr().unwrap().port();
    let mut watch = Watch::start(client, &["--interval", "100ms"]);
    let mut lines = watch.lines();
    let first = lines.next().unwrap();
    assert!(first.ends_with("  outgoing 0  incoming 0"), "{first:?}");
    let _streams = [(); 2].map(|()| connect_fast(client, server.ipv4().into(), port));
    let connected = "  outgoing 2 (1 accepted, 1 no-cookie)  incoming 0";
    let mut seen = lines.by_ref().skip_while(|line| !line.contains(connected));
    assert!(!seen.next().unwrap().contains('\u{1b}'));
    watch.signal(Signal::INT);
    let summary: Vec<_> = lines.skip_while(|line| !line.starts_with("In ")).collect();
    assert!(summary[0].ends_with("1 counter rose:"), "{summary:?}");
    assert!(
        summary[1].starts_with("  TCPFastOpenActive                  +1  A server accepted"),
        "{summary:?}"
    );
    assert_eq!(watch.0.wait().unwrap().code(), Some(0));
}

pub(crate) fn a_closed_pipe_ends_it_quietly() {
    let lab = lab();
    for arguments in [&["--interval", "100ms"][..], &["--interval", "100ms", "--json"]] {
        let mut watch = Watch::start(lab.client().unwrap(), arguments);
        assert!(watch.lines().next().is_some());
        let mut said = String::new();
        watch.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((watch.0.wait().unwrap().code(), said.as_str()), (Some(0), ""));
    }
}
