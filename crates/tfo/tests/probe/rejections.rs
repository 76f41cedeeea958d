//! Real firewalls that reject SYNs with an ICMP error. One that comes at once, as across a veth, is received while the socket is still
//! sending: the kernel then goes on with a plain SYN, as after a lost one.

use std::net::SocketAddr;
use std::time::Duration;

use fastopen_lab::testing::{LabTest, program};
use fastopen_lab::{Host, Lab, Scenario};
use serde_json::Value;

use crate::support::{BOTH, PORT, addresses, causes, first, lab, probe, repeated, serve};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        repeated(
            "fast_syns_rejected_while_they_are_sent",
            fast_syns_rejected_while_they_are_sent,
        ),
        repeated(
            "fast_syns_rejected_by_the_server",
            fast_syns_rejected_by_the_server,
        ),
        repeated(
            "fast_syns_that_are_dropped_are_told_from_rejected_ones",
            fast_syns_that_are_dropped_are_told_from_rejected_ones,
        ),
        repeated(
            "all_syns_rejected_within_a_short_timeout",
            all_syns_rejected_within_a_short_timeout,
        ),
        repeated(
            "fast_syns_stopped_by_this_machine",
            fast_syns_stopped_by_this_machine,
        ),
        repeated(
            "an_icmp_error_that_the_own_firewall_drops",
            an_icmp_error_that_the_own_firewall_drops,
        ),
        repeated("the_code_and_the_sender_tell", the_code_and_the_sender_tell),
    ]
}

fn near(name: &str) -> Lab {
    lab(&Scenario::new(name).with_rtt(Duration::from_millis(5)))
}

/// SYNs alone.
const SYN: &str = "tcp flags & (syn|ack) == syn";

/// Gives the host's firewall these rules for what it receives.
fn filter(host: &Host, rules: &[String]) {
    filter_at(host, "input", rules);
}

fn filter_at(host: &Host, hook: &str, rules: &[String]) {
    let mut commands = vec![
        "add table inet t".to_owned(),
        format!("add chain inet t c {{ type filter hook {hook} priority 0; }}"),
        "flush chain inet t c".to_owned(),
    ];
    commands.extend(rules.iter().map(|rule| format!("add rule inet t c {rule}")));
    for command in commands {
        let status = program(host, "nft").arg(&command).status();
        assert!(status.unwrap().success(), "{command}");
    }
}

/// Lays a cable between client and server beside the path through the lab, and gives the server's addresses there.
fn cable(lab: &Lab) -> [SocketAddr; 2] {
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    // Its number is what the server's network namespace is found by.
    let mut inside = server.command("sleep").unwrap().arg("60").spawn().unwrap();
    let peer = inside.id();
    let ip = |host: &Host, line: &str| {
        let status = program(host, "ip").args(line.split(' ')).status();
        assert!(status.unwrap().success(), "ip {line}");
    };
    ip(
        client,
        &format!("link add v0 type veth peer name v1 netns {peer}"),
    );
    inside.kill().and_then(|()| inside.wait()).unwrap();
    for (host, name, number) in [(client, "v0", 1), (server, "v1", 2)] {
        ip(host, &format!("address add 198.51.100.{number}/24 dev {name}"));
        ip(
            host,
            &format!("address add 2001:db8:5::{number}/64 dev {name} nodad"),
        );
        ip(host, &format!("link set {name} up"));
    }
    ["198.51.100.2", "2001:db8:5::2"].map(|ip| SocketAddr::new(ip.parse().unwrap(), PORT))
}

fn each(lab: &Lab, targets: &[SocketAddr], check: impl Fn(&Value, i32)) {
    for privilege in BOTH {
        let (reports, status) = probe(lab, privilege, &["--timeout", "1500ms"], targets);
        reports.iter().for_each(|report| check(report, status));
    }
}

fn is_v6(report: &Value) -> bool {
    first(report)["address"].as_str().unwrap().starts_with('[')
}

fn text(report: &Value, field: &str) -> String {
    first(report)[field].to_string()
}

/// That this is the exit status, and these are the verdict and its only cause.
fn assert_one_cause(report: &Value, status: i32, (exit, verdict, cause): (i32, &str, &str)) {
    let said = (status, &report["verdict"], causes(report));
    assert_eq!(said, (exit, &verdict.into(), vec![cause]), "{report:#}");
}

/// That fast SYNs are rejected by this sender, with this type and code of ICMP, or of ICMPv6.
fn assert_rejected(report: &Value, status: i32, from: [&str; 2], codes: [(u64, u64); 2]) {
    let family = usize::from(is_v6(report));
    assert_one_cause(report, status, (1, "rejected", "fast-syn-rejected"));
    let icmp = &first(report)["icmp"][0];
    let told = (
        icmp["way"].as_str(),
        icmp["from"].as_str(),
        icmp["type"].as_u64(),
        icmp["code"].as_u64(),
    );
    let (kind, code) = codes[family];
    assert_eq!(
        told,
        (Some("fast"), Some(from[family]), Some(kind), Some(code)),
        "{report:#}"
    );
    assert!(text(report, "says").contains(from[family]), "{report:#}");
}

/// Each rule for SYNs, with the ICMP error of each family.
fn fast_syns_rejected_while_they_are_sent() {
    let lab = near("reject");
    let server = lab.server().unwrap();
    serve(server);
    let targets = cable(&lab);
    let own = targets.map(|target| target.ip().to_string());
    for (rules, codes) in [
        (
            &[
                "ip length > 80 reject with icmp type host-prohibited",
                "ip6 length > 60 reject with icmpv6 type admin-prohibited",
            ][..],
            [(3, 10), (1, 1)],
        ),
        (&["tcp option 34 length > 2 reject"], [(3, 3), (1, 4)]),
        (
            &["tcp option 34 exists reject with icmpx type admin-prohibited"],
            [(3, 13), (1, 1)],
        ),
    ] {
        let rules: Vec<_> = rules.iter().map(|rule| format!("{SYN} {rule}")).collect();
        filter(server, &rules);
        each(&lab, &targets, |report, status| {
            assert_rejected(report, status, [&own[0], &own[1]], codes);
        });
    }
}

fn fast_syns_rejected_by_the_server() {
    let lab = near("server-reject");
    let server = lab.server().unwrap();
    serve(server);
    let own = server.addresses().map(|address| address.to_string());
    filter(
        server,
        &[format!(
            "{SYN} tcp option 34 length > 2 reject with icmpx type port-unreachable"
        )],
    );
    each(&lab, &addresses(&lab), |report, status| {
        assert_rejected(report, status, [&own[0], &own[1]], [(3, 3), (1, 4)]);
    });
}

/// Without the error a drop looks the same to a program.
fn fast_syns_that_are_dropped_are_told_from_rejected_ones() {
    let lab = near("drop");
    let server = lab.server().unwrap();
    serve(server);
    let targets = cable(&lab);
    filter(server, &[format!("{SYN} tcp option 34 length > 2 drop")]);
    each(&lab, &targets, |report, status| {
        assert_one_cause(report, status, (1, "syn-lost", "fast-syn-dropped"));
    });
}

/// What this machine's firewall keeps from the kernel is seen where the packets are.
fn an_icmp_error_that_the_own_firewall_drops() {
    let lab = near("deaf");
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    serve(server);
    let targets = cable(&lab);
    let deaf = [
        "icmp type destination-unreachable drop",
        "icmpv6 type destination-unreachable drop",
    ];
    filter(client, &deaf.map(str::to_owned));
    filter(server, &[format!("{SYN} tcp option 34 length > 2 reject")]);
    let (reports, status) = probe(&lab, BOTH[0], &["--timeout", "1500ms"], &targets);
    let own = targets.map(|target| target.ip().to_string());
    for report in &reports {
        assert_rejected(report, status, [&own[0], &own[1]], [(3, 3), (1, 4)]);
    }
}

/// The kernel then sends the SYN without the data: the path and the server have no part in it.
fn fast_syns_stopped_by_this_machine() {
    let lab = near("own");
    let client = lab.client().unwrap();
    serve(lab.server().unwrap());
    let rules = ["ip length > 80 drop", "ip6 length > 60 reject"].map(|rule| format!("{SYN} {rule}"));
    filter_at(client, "output", &rules);
    each(&lab, &addresses(&lab), |report, status| {
        assert_one_cause(report, status, (2, "this-machine", "data-kept-back"));
    });
}

/// The time is up before the kernel reports the error, which it does after the second SYN.
fn all_syns_rejected_within_a_short_timeout() {
    let lab = near("impatient");
    let server = lab.server().unwrap();
    serve(server);
    let targets = cable(&lab);
    filter(
        server,
        &[format!(
            "tcp dport {PORT} reject with icmpx type admin-prohibited"
        )],
    );
    for privilege in BOTH {
        let (reports, status) = probe(&lab, privilege, &["--timeout", "500ms"], &targets);
        for report in &reports {
            assert_one_cause(report, status, (1, "unreachable", "prohibited"));
        }
    }
}

/// What answers every SYN, in words, and the advice.
fn the_code_and_the_sender_tell() {
    let lab = near("codes");
    let server = lab.server().unwrap();
    serve(server);
    for (code, word, cause) in [
        (
            "icmp type prot-unreachable",
            "protocol unreachable",
            "icmp-unreachable",
        ),
        (
            "icmp type net-unreachable",
            "network unreachable",
            "icmp-unreachable",
        ),
        (
            "icmp type host-unreachable",
            "host unreachable",
            "icmp-unreachable",
        ),
        (
            "icmpv6 type addr-unreachable",
            "host unreachable",
            "icmp-unreachable",
        ),
        (
            "icmpv6 type no-route",
            "no route to destination",
            "icmp-unreachable",
        ),
        (
            "icmp type host-prohibited",
            "host administratively prohibited",
            "prohibited",
        ),
    ] {
        filter(server, &[format!("tcp dport {PORT} reject with {code}")]);
        let target: SocketAddr = addresses(&lab)[usize::from(code.starts_with("icmpv6"))];
        let (reports, status) = probe(&lab, BOTH[1], &["--timeout", "1500ms"], &[target]);
        let report = &reports[0];
        assert_eq!((status, causes(report)), (1, vec![cause]), "{code}: {report:#}");
        let from = target.ip().to_string();
        let says = text(report, "says");
        assert!(says.contains(word) && says.contains(&from), "{code}: {report:#}");
        let advice = text(report, "advice");
        assert!(
            advice.contains("the target itself") && !advice.contains("route"),
            "{code}: {report:#}"
        );
    }
}
