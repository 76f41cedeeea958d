//! `tfo doctor` as it is run, on hosts of a lab.

#![allow(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these have none"
)]

mod fixes;

#[path = "../common/terminal.rs"]
mod terminal;

use std::io::Write;
use std::net::TcpListener;
use std::process::{ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use fastopen::ReplaySafe;
use fastopen_lab::testing::{self, test};
use fastopen_lab::{Host, HostSpec, Lab, Rule, Scenario, SegmentKind};
use serde_json::Value;

const FAST_OPEN: &str = "net.ipv4.tcp_fastopen";
const FAST_OPEN_KEY: &str = "net.ipv4.tcp_fastopen_key";

fn main() -> ExitCode {
    let tests = [
        test(
            "a_machine_as_it_comes_has_no_problem",
            a_machine_as_it_comes_has_no_problem,
        ),
        test(
            "a_listener_that_asks_in_vain_is_a_problem",
            a_listener_that_asks_in_vain_is_a_problem,
        ),
        test("what_is_at_fault_is_fixed", what_is_at_fault_is_fixed),
        test(
            "connections_and_cookies_are_told",
            connections_and_cookies_are_told,
        ),
        test(
            "a_client_that_vanishes_is_no_outgoing_failure",
            a_client_that_vanishes_is_no_outgoing_failure,
        ),
        test(
            "a_network_namespace_is_one_for_every_user",
            a_network_namespace_is_one_for_every_user,
        ),
        test("keys_are_never_told", keys_are_never_told),
        test("a_closed_pipe_ends_it_quietly", a_closed_pipe_ends_it_quietly),
        test("it_fits_the_terminal", it_fits_the_terminal),
    ];
    testing::main(tests.into_iter().chain(fixes::tests()))
}

/// A client with the client bit and a server with these bits.
fn lab(server_bits: &str) -> Lab {
    let server = HostSpec::new("server").with_sysctl(FAST_OPEN, server_bits);
    let scenario = Scenario::new("near")
        .with_rtt(Duration::from_millis(1))
        .with_host(server);
    Lab::new(&scenario).unwrap()
}

fn listen(host: &Host) -> TcpListener {
    host.run(|| fastopen::listen((host.ipv4(), 0))).unwrap()
}

fn doctor(host: &Host, arguments: &[&str]) -> Output {
    let mut command = host.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    command.env_remove("KUBERNETES_SERVICE_HOST");
    command.arg("doctor").args(arguments).output().unwrap()
}

/// The report in JSON, which must fit its schema, and the exit status.
fn report(host: &Host, arguments: &[&str]) -> (Value, i32) {
    let output = doctor(host, &[arguments, &["--json"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    let report = serde_json::from_str(&text).unwrap();
    let schema = serde_json::from_str(include_str!("../../schemas/doctor.json")).unwrap();
    jsonschema::validate(&schema, &report).unwrap();
    (report, output.status.code().unwrap())
}

fn levels<'a>(report: &'a Value, level: &str) -> Vec<&'a str> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["level"] == level)
        .map(|finding| finding["id"].as_str().unwrap())
        .collect()
}

fn a_machine_as_it_comes_has_no_problem() {
    let lab = lab("3");
    let (client, status) = report(lab.client().unwrap(), &[]);
    assert_eq!((status, client["ready"].as_bool()), (0, Some(true)));
    assert_eq!(levels(&client, "warning"), [""; 0]);
    // Also on a machine or in a container that has /.dockerenv.
    assert_eq!(client["place"], "network-namespace");
    assert_eq!(levels(&client, "note"), ["server"]);
    let (fixed, _) = report(lab.client().unwrap(), &["--fix"]);
    assert_eq!(fixed["fixes"], Value::Array(vec![]));
    assert_eq!(lab.client().unwrap().sysctl(FAST_OPEN).unwrap(), "1");
    let (server, status) = report(lab.server().unwrap(), &[]);
    assert_eq!(status, 0);
    assert_eq!(levels(&server, "warning"), [""; 0]);
}

fn a_listener_that_asks_in_vain_is_a_problem() {
    let lab = lab("1");
    let server = lab.server().unwrap();
    let listener = listen(server);
    let (report, status) = report(server, &[]);
    assert_eq!((status, report["ready"].as_bool()), (1, Some(false)));
    assert_eq!(levels(&report, "problem"), ["server"]);
    let told = &report["listeners"][0];
    assert_eq!(told["address"], listener.local_addr().unwrap().to_string());
    assert_eq!(told["processes"][0]["pid"], std::process::id());
    assert!(told["fast_open_queue"].as_u64().unwrap() > 0);
}

fn what_is_at_fault_is_fixed() {
    let lab = lab("1024");
    let server = lab.server().unwrap();
    server.set_sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let output = doctor(server, &["--fix"]);
    let (told, said) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(said.contains("  net.ipv4.tcp_fastopen = 1027\n"), "{said}");
    assert!(told.contains("Changed net.ipv4.tcp_syncookies to 1"), "{told}");
    let (_, permanent) = told.split_once("To make it permanent:").unwrap();
    assert!(permanent.contains("net.ipv4.tcp_fastopen"), "{told}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(server.sysctl(FAST_OPEN).unwrap(), "1027");
    assert_eq!(server.sysctl("net.ipv4.tcp_syncookies").unwrap(), "1");

    let (again, status) = report(server, &["--fix"]);
    assert_eq!((status, &again["fixes"]), (0, &Value::Array(vec![])));
}

fn connections_and_cookies_are_told() {
    let lab = lab("3");
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = listen(server);
    for _ in 0..3 {
        let connected =
            client.run(|| fastopen::connect(listener.local_addr().unwrap(), ReplaySafe(b"hello")));
        drop((connected.unwrap(), listener.accept().unwrap()));
    }
    let counter = |report: &Value, name: &str| {
        let counters = report["counters"].as_array().unwrap();
        let counter = counters.iter().find(|counter| counter["name"] == name).unwrap();
        counter["value"].as_u64().unwrap()
    };
    let (report_of_client, _) = report(client, &[]);
    assert_eq!(counter(&report_of_client, "TCPFastOpenActive"), 2);
    let cookie = &report_of_client["cookies"][0];
    assert_eq!(cookie["destination"], server.ipv4().to_string());
    assert!(cookie["cookie"].as_str().unwrap().ends_with('…'), "{cookie}");
    let (report_of_server, _) = report(server, &[]);
    assert_eq!(counter(&report_of_server, "TCPFastOpenPassive"), 2);
}

/// The kernel counts it as an active failure of the server's, and pauses the server's outgoing Fast Open.
fn a_client_that_vanishes_is_no_outgoing_failure() {
    let server = HostSpec::new("server")
        .with_sysctl(FAST_OPEN, "3")
        .with_sysctl("net.ipv4.tcp_fastopen_blackhole_timeout_sec", "3600");
    let vanishes = Rule::blackhole()
        .from("client")
        .on(SegmentKind::Syn)
        .with_data(true);
    let scenario = Scenario::new("vanishing")
        .with_rtt(Duration::from_millis(1))
        .with_host(server)
        .with_rule(vanishes);
    let lab = Lab::new(&scenario).unwrap();
    let (client, server) = (lab.client().unwrap(), lab.server().unwrap());
    let listener = listen(server);
    let connect = || client.run(|| fastopen::connect(listener.local_addr().unwrap(), ReplaySafe(b"hello")));
    drop((connect().unwrap(), listener.accept().unwrap()));
    let connected = connect().unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    accepted.write_all(b"an answer that never arrives").unwrap();
    let counter = |report: &Value, name: &str| {
        let counters = report["counters"].as_array().unwrap();
        let counter = counters.iter().find(|counter| counter["name"] == name).unwrap();
        counter["value"].as_u64().unwrap()
    };
    let started = Instant::now();
    let told = loop {
        let (told, _) = report(server, &[]);
        if counter(&told, "TCPFastOpenActiveFail") > 0 {
            break told;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{told:#}");
        std::thread::sleep(Duration::from_millis(50));
    };
    drop((connected, accepted));
    assert_eq!(
        (
            counter(&told, "TCPFastOpenActive"),
            counter(&told, "TCPFastOpenPassive")
        ),
        (0, 1)
    );
    assert_eq!(counter(&told, "TCPFastOpenBlackhole"), 1);
    let findings = told["findings"].as_array().unwrap();
    let finding = |id: &str| findings.iter().find(|finding| finding["id"] == id).unwrap();
    let active = finding("active");
    assert_eq!(
        active["sentence"],
        "No connection from here was fast; 1 failure may be of connections accepted here."
    );
    let blackhole = finding("blackhole");
    assert!(
        blackhole["reason"].as_str().unwrap().contains("accepted here"),
        "{blackhole}"
    );
}

/// Also for one who may not read the links of other users' processes, where the machine has a container's mark.
fn a_network_namespace_is_one_for_every_user() {
    let lab = lab("3");
    let mut command = lab.client().unwrap().command("unshare").unwrap();
    // From another user namespace, processes outside are as good as another user's.
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
        .arg(
            "! readlink /proc/$PPID/ns/net; mount -t tmpfs none /run; touch /run/.containerenv; exec \"$0\" doctor --json",
        )
        .arg(env!("CARGO_BIN_EXE_tfo"))
        .env_remove("KUBERNETES_SERVICE_HOST");
    let told = command.output().unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    let report: Value =
        serde_json::from_slice(&told.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(report["place"], "network-namespace");
}

fn keys_are_never_told() {
    const KEY: &str = "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4";
    let lab = lab("3");
    let server = lab.server().unwrap();
    server.set_sysctl(FAST_OPEN_KEY, format!("{KEY},{KEY}")).unwrap();
    let (report, _) = report(server, &[]);
    assert_eq!(report["settings"]["key"], "set-with-backup");
    let text = String::from_utf8(doctor(server, &[]).stdout).unwrap();
    for told in [report.to_string(), text] {
        assert!(!told.contains("a1a1a1a1"), "{told}");
    }
}

fn a_closed_pipe_ends_it_quietly() {
    let lab = lab("3");
    let mut command = lab.client().unwrap().command(env!("CARGO_BIN_EXE_tfo")).unwrap();
    let mut child = command
        .arg("doctor")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    std::io::stderr().write_all(&output.stderr).unwrap();
    assert!(output.stderr.is_empty());
    assert_eq!(output.status.code(), Some(0));
}

fn it_fits_the_terminal() {
    let lab = lab("3");
    let server = lab.server().unwrap();
    let _listener = listen(server);
    for (columns, rows) in [(50, 24), (80, 24), (110, 24), (60, 0)] {
        let mut command = server.command(env!("CARGO_BIN_EXE_tfo")).unwrap();
        command.args(["doctor"]).env("NO_COLOR", "1");
        let text = terminal::output(&mut command, columns, rows);
        let longest = text.lines().map(|line| line.trim_end().chars().count()).max();
        let longest = longest.unwrap();
        assert!(
            longest <= columns.into() && longest > usize::from(columns) - 15,
            "{columns}: {text}"
        );
        assert!(text.contains("TCPFastOpenPassive "), "{text}");
    }
}
