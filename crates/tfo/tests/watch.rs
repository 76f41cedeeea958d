//! `tfo watch` as it is run, on hosts of a lab.

// Clippy knows tests by their attribute, and these have none.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use fastopen::ReplaySafe;
use fastopen_lab::testing::{self, test};
use fastopen_lab::{Host, HostSpec, Lab, Moment, Rule, Scenario, SegmentKind};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const TFO: &str = env!("CARGO_BIN_EXE_tfo");

fn main() -> ExitCode {
    testing::main([
        test(
            "each_connection_is_told_as_what_it_is",
            each_connection_is_told_as_what_it_is,
        ),
        test(
            "a_dual_stack_listener_has_its_ipv4_connections",
            a_dual_stack_listener_has_its_ipv4_connections,
        ),
        test("what_rose_is_told", what_rose_is_told),
        test("a_pipe_gets_lines_and_a_summary", a_pipe_gets_lines_and_a_summary),
        test(
            "another_namespace_can_be_looked_into",
            another_namespace_can_be_looked_into,
        ),
        test(
            "without_privilege_it_says_what_to_do",
            without_privilege_it_says_what_to_do,
        ),
        test("a_closed_pipe_ends_it_quietly", a_closed_pipe_ends_it_quietly),
    ])
}

fn lab() -> Lab {
    let server = HostSpec::new("server").with_sysctl("net.ipv4.tcp_fastopen", "3");
    let scenario = Scenario::new("near")
        .with_rtt(Duration::from_millis(1))
        .with_host(server);
    Lab::new(&scenario).unwrap()
}

fn listen(host: &Host, address: IpAddr) -> TcpListener {
    host.run(|| fastopen::listen((address, 0))).unwrap()
}

fn connect_fast(host: &Host, to: IpAddr, port: u16) -> TcpStream {
    let (stream, _) = host
        .run(|| fastopen::connect((to, port), ReplaySafe(b"hello")))
        .unwrap()
        .into();
    stream
}

/// Four connections: one that gets a cookie, a fast one, a fast one whose last ACK never comes, a plain one in the same state.
fn connect_in_every_way(lab: &Lab, to: IpAddr, port: u16) -> Vec<TcpStream> {
    let client = lab.client().unwrap();
    let mut streams = vec![connect_fast(client, to, port), connect_fast(client, to, port)];
    let rule = Rule::hold(Moment::Released)
        .from("client")
        .on(SegmentKind::HandshakeAck);
    lab.set_rules([rule]).unwrap();
    streams.push(connect_fast(client, to, port));
    streams.push(client.run(|| TcpStream::connect((to, port))).unwrap());
    lab.set_rules([]).unwrap();
    streams
}

/// `tfo watch` on a host, killed in the end.
struct Watch(Child);

impl Watch {
    fn start(host: &Host, arguments: &[&str]) -> Self {
        Self::run(host.command(TFO).unwrap().arg("watch").args(arguments))
    }

    fn run(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        lines.map(Result::unwrap)
    }

    /// Its objects, each of which must fit the schema.
    fn reports(&mut self) -> impl Iterator<Item = Value> + use<> {
        let schema = serde_json::from_str(include_str!("../schemas/watch.json")).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        self.lines().map(move |line| {
            let report = serde_json::from_str(&line).unwrap();
            validator.validate(&report).unwrap();
            report
        })
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn first_report(host: &Host) -> Value {
    Watch::start(host, &["--json"]).reports().next().unwrap()
}

fn each_connection_is_told_as_what_it_is() {
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

fn a_dual_stack_listener_has_its_ipv4_connections() {
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

fn what_rose_is_told() {
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

fn a_pipe_gets_lines_and_a_summary() {
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
        summary[1].starts_with("  TCPFastOpenActive                  +1  A connection"),
        "{summary:?}"
    );
    assert_eq!(watch.0.wait().unwrap().code(), Some(0));
}

fn another_namespace_can_be_looked_into() {
    let lab = lab();
    let server = lab.server().unwrap();
    let listener = listen(server, server.ipv4().into());
    let mut inhabitant = server.command("sleep").unwrap().arg("60").spawn().unwrap();
    let pid = inhabitant.id();
    for namespace in [pid.to_string(), format!("/proc/{pid}/ns/net")] {
        let mut watch = Watch::run(Command::new(TFO).args(["watch", "--json", "--netns", &namespace]));
        let report = watch.reports().next().unwrap();
        assert_eq!(
            report["listeners"][0]["address"],
            listener.local_addr().unwrap().to_string(),
            "{namespace}"
        );
    }
    inhabitant.kill().unwrap();
    inhabitant.wait().unwrap();
}

fn without_privilege_it_says_what_to_do() {
    for (namespace, hint) in [
        ("1", "hint: run it as root: sudo tfo watch --netns 1"),
        ("/nowhere", "hint: give the number of a process in it"),
    ] {
        let mut command = Command::new("unshare");
        let output = command
            .args(["-Ur", TFO, "watch", "--netns", namespace])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.starts_with("error: can't look into the network namespace"),
            "{said}"
        );
        assert!(said.contains(hint), "{said}");
    }
}

fn a_closed_pipe_ends_it_quietly() {
    let lab = lab();
    for arguments in [&["--interval", "100ms"][..], &["--interval", "100ms", "--json"]] {
        let mut watch = Watch::start(lab.client().unwrap(), arguments);
        assert!(watch.lines().next().is_some());
        let mut said = String::new();
        watch.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((watch.0.wait().unwrap().code(), said.as_str()), (Some(0), ""));
    }
}
