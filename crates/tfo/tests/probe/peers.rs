//! What stands before a server or refuses in its place, and servers of an unusual kind.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use fastopen::{ListenOptions, ReplaySafe};
use fastopen_lab::testing::LabTest;
use fastopen_lab::{Host, HostSpec, Lab, OptionState, Rule, Scenario, SegmentKind};
use serde_json::Value;

use super::support::{
    BOTH, PORT, Privilege, addresses, answer_all, causes, first, lab, probe, repeated, serve, serve_with,
};

pub(crate) fn tests() -> Vec<LabTest> {
    vec![
        repeated("a_queue_that_is_full", a_queue_that_is_full),
        repeated("a_forwarder_that_ends_fast_open", a_forwarder_that_ends_fast_open),
        repeated("a_firewall_that_prohibits_all", a_firewall_that_prohibits_all),
        repeated(
            "a_firewall_that_prohibits_fast_syns",
            a_firewall_that_prohibits_fast_syns,
        ),
        repeated("a_closed_port", a_closed_port),
        repeated("a_server_that_speaks_first", a_server_that_speaks_first),
        repeated("a_hop_too_narrow_for_the_syn", a_hop_too_narrow_for_the_syn),
    ]
}

/// Probes both addresses, with and without the packets.
fn each(lab: &Lab, arguments: &[&str], check: impl Fn(&Value, i32)) {
    for privilege in BOTH {
        let arguments = [arguments, &["--timeout", "1500ms"]].concat();
        let (reports, status) = probe(lab, privilege, &arguments, &addresses(lab));
        reports.iter().for_each(|report| check(report, status));
    }
}

fn near(name: &str) -> Scenario {
    Scenario::new(name).with_rtt(Duration::from_millis(5))
}

/// The queue has room for one, which another client takes whose last ACK never comes.
fn a_queue_that_is_full() {
    let lab = lab(&near("full").with_host(HostSpec::new("other")));
    let (server, other) = (lab.server().unwrap(), lab.host("other").unwrap());
    let options = ListenOptions::new().with_queue(1).with_handshake_timeout(None);
    let listener = server.run(|| options.listen(("::", PORT))).unwrap().listener;
    answer_all(server, listener);
    let target = SocketAddr::new(server.ipv4().into(), PORT);
    let connect = || other.run(|| fastopen::connect(target, ReplaySafe(b"x"))).unwrap();
    drop(connect());
    server.set_sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    drop(
        server
            .run(|| fastopen::connect(target, ReplaySafe(b"x")))
            .unwrap(),
    );
    lab.set_rules([
        Rule::drop().from("other").on(SegmentKind::HandshakeAck),
        Rule::drop().from("other").on(SegmentKind::Established),
    ])
    .unwrap();
    let taken = connect();
    assert_eq!(taken.outcome, fastopen::Outcome::Accepted);
    each(&lab, &[], |report, status| {
        assert_eq!(
            (status, &report["verdict"]),
            (1, &"no-cookie".into()),
            "{report:#}"
        );
        let causes = causes(report);
        assert!(causes.len() > 1 && causes.contains(&"queue-full"), "{report:#}");
    });
    // On the server itself the counters say it. A server that needs no cookie would take the data of one that has its cookie.
    let [with_cookie, without] = addresses(&lab)[..] else {
        panic!("one address of each family")
    };
    for (own, verdict, expected) in [
        (with_cookie, "data-ignored", &["queue-full"][..]),
        (without, "no-cookie", &["queue-full", "needs-no-cookie"]),
    ] {
        let mut command = super::support::command(server, Privilege::None);
        command.args(["--json", &own.to_string()]);
        let (reports, _) = super::support::reports(&command.output().unwrap());
        let report = &reports[0];
        let said = (report["verdict"].as_str(), causes(report));
        assert_eq!(said, (Some(verdict), expected.to_vec()), "{report:#}");
        let text = report.to_string();
        assert!(
            !text.contains("(0x200 in") && !text.contains(": 0x200"),
            "{report:#}"
        );
        let advice = first(report)["advice"].to_string();
        assert!(
            advice.contains("tfo doctor") && !advice.contains("there") && !advice.contains("capture"),
            "{report:#}"
        );
    }
}

/// As docker's proxy, `ssh -L` and load balancers do: the server behind it uses Fast Open.
fn a_forwarder_that_ends_fast_open() {
    let lab = lab(&near("forwarded"));
    let server = lab.server().unwrap();
    let behind = server.run(|| fastopen::listen(("::", 8080))).unwrap();
    answer_all(server, behind);
    let before = server.run(|| TcpListener::bind(("::", PORT))).unwrap();
    let host: Host = server.clone();
    server.spawn(move || {
        for client in before.incoming().flatten() {
            let host = host.clone();
            thread::spawn(move || forward(&host, client));
        }
    });
    each(&lab, &[], |report, status| {
        assert_eq!(
            (status, &report["verdict"]),
            (1, &"no-cookie".into()),
            "{report:#}"
        );
        let causes = causes(report);
        assert!(
            causes.len() > 1 && causes.contains(&"proxy-ends-it"),
            "{report:#}"
        );
    });
}

fn forward(host: &Host, mut client: TcpStream) -> io::Result<()> {
    let mut server = host.run(|| TcpStream::connect((host.ipv4(), 8080)))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(std::net::Shutdown::Write)
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(std::net::Shutdown::Write)
}

fn notes(report: &Value) -> String {
    first(report)["notes"].to_string()
}

fn assert_prohibited(report: &Value, way: &str) {
    let icmp = &first(report)["icmp"][0];
    let is_v6 = first(report)["address"].as_str().unwrap().starts_with('[');
    let codes = if is_v6 { (1, 1) } else { (3, 13) };
    assert_eq!(
        (&icmp["way"], icmp["type"].as_u64(), icmp["code"].as_u64()),
        (&way.into(), Some(codes.0), Some(codes.1)),
        "{report:#}"
    );
    let says = first(report)["says"].to_string();
    assert!(
        says.contains("administratively prohibited") && says.contains(" from "),
        "{report:#}"
    );
}

/// A SYN left, and something other than a RST answered: neither this machine's routes nor the server refuse.
fn a_firewall_that_prohibits_all() {
    let lab = lab(&near("prohibited").with_rule(Rule::prohibit().from("client")));
    serve(lab.server().unwrap());
    each(&lab, &[], |report, status| {
        assert_eq!(
            (status, &report["verdict"], causes(report)),
            (1, &"unreachable".into(), vec!["prohibited"]),
            "{report:#}"
        );
        assert_prohibited(report, "plain");
    });
}

fn a_firewall_that_prohibits_fast_syns() {
    let rule = Rule::prohibit()
        .on(SegmentKind::Syn)
        .with_option(OptionState::Cookie);
    let lab = lab(&near("fast-prohibited").with_rule(rule));
    serve(lab.server().unwrap());
    each(&lab, &[], |report, status| {
        assert_eq!(
            (status, &report["verdict"], causes(report)),
            (1, &"rejected".into(), vec!["fast-syn-rejected"]),
            "{report:#}"
        );
        assert_prohibited(report, "fast");
    });
}

fn a_closed_port() {
    let lab = lab(&near("closed"));
    each(&lab, &[], |report, status| {
        assert_eq!(
            (status, &report["verdict"], causes(report)),
            (1, &"unreachable".into(), vec!["refused"]),
            "{report:#}"
        );
        assert!(notes(report).contains("was a RST"), "{report:#}");
    });
}

fn a_server_that_speaks_first() {
    let lab = lab(&near("greeter"));
    serve_with(lab.server().unwrap(), |mut stream, _| {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    each(&lab, &[], |report, _| {
        let notes = notes(report);
        assert!(
            notes.contains("speaks first") && notes.contains("220 mail.example ESMTP"),
            "{report:#}"
        );
    });
    let server = lab.server().unwrap();
    for (scheme, request) in [("tls", "a TLS ClientHello"), ("redis", "a Redis PING")] {
        let mut command = super::support::command(lab.client().unwrap(), Privilege::None);
        command.args(["--json", &format!("{scheme}://{}:{PORT}", server.ipv4())]);
        let (reports, _) = super::support::reports(&command.output().unwrap());
        let notes = notes(&reports[0]);
        assert!(
            notes.contains("speaks first") && notes.contains(request),
            "{reports:#?}"
        );
    }
}

/// The first SYN is sent again without its data, and the next one fits: no server and no option is at fault.
fn a_hop_too_narrow_for_the_syn() {
    let lab = lab(&Scenario::named("narrow-hop")
        .unwrap()
        .with_rtt(Duration::from_millis(5)));
    serve(lab.server().unwrap());
    let data = "x".repeat(1400);
    each(&lab, &["--data", &data], |report, status| {
        assert_eq!((status, &report["verdict"]), (0, &"works".into()), "{report:#}");
    });
}
